"""Tables on the screen and in documents."""

import pytest

from benchmarks import tables

ROWS = [["", "a long heading", "two\nlines"], ["name[x]", "1", "2"], ["other", "10", "2000"]]


@pytest.mark.parametrize("columns", [24, 80])
def test_headings_break_and_cells_do_not(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    tables.print_table(ROWS, "[title]")
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "[title]"
    assert all(len(line) <= columns for line in lines)
    assert [line.split() for line in lines[-3:-1]] == ROWS[1:]
    assert ("a long heading" in "\n".join(lines)) == (columns == 80)


def test_markdown_has_one_line_a_row():
    assert tables.markdown(ROWS).splitlines() == [
        "|  | a long heading | two lines |",
        "| --- | --- | --- |",
        "| name[x] | 1 | 2 |",
        "| other | 10 | 2000 |",
    ]


def test_replaces_the_part_between_its_marks_alone(tmp_path):
    document = tmp_path / "a.md"
    document.write_text("a\n<!-- x: begin -->\nold\n<!-- x: end -->\n<!-- y: begin -->\n")
    tables.replace_part(document, "x", "new\n")
    assert document.read_text() == (
        "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\n<!-- y: begin -->\n"
    )
