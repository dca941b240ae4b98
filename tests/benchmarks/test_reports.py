"""Flags, files and documents of the speed benchmarks."""

import json
import types

import pytest
from PIL import Image

from benchmarks import reports

ORIGIN = {"machine": "a machine", "versions": {}, "command": []}


def test_publishing_replaces_the_part_of_the_document(tmp_path, capsys):
    document = tmp_path / "docs" / "benchmarks.md"
    document.parent.mkdir()
    document.write_text("a\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nb\n")
    flags = types.SimpleNamespace(json=tmp_path / "speed.json", document=document)
    reports.publish("speed", ORIGIN, [["", "x"], ["name", "1"]], flags)
    assert document.read_text() == (
        "a\n<!-- speed: begin -->\n|  | x |\n| --- | --- |\n| name | 1 |\n<!-- speed: end -->\nb\n"
    )
    assert json.loads(flags.json.read_text()) == ORIGIN
    assert "a machine" in capsys.readouterr().out


def test_quick_results_leave_the_document_alone():
    flags = reports.parse_flags("Text.", "speed", ["--quick"])
    assert flags.document is None
    assert reports.parse_flags("Text.", "speed", []).document == reports.DOCUMENT


def test_results_of_another_task_have_a_name_of_their_own():
    def flags(*argv):
        return reports.parse_flags("Text.", "speed", argv, ("segment", "detect"))

    assert (flags().name, flags().json.name) == ("speed", "speed.json")
    assert (flags("--task", "detect").name, flags("--task", "detect").json.name) == (
        "speed_detect",
        "speed_detect.json",
    )
    assert flags("--task", "detect").document == reports.DOCUMENT
    assert flags("--task", "detect", "--json", "other.json").document is None


def test_a_plot_is_as_wide_as_a_page(tmp_path):
    reports.save_plot(lambda axes: axes[1].plot([1, 2]), tmp_path / "new" / "x.png", ncols=2)
    with Image.open(tmp_path / "new" / "x.png") as picture:
        assert picture.size == (810, 414)


def test_the_usage_names_the_command(capsys):
    with pytest.raises(SystemExit):
        reports.parse_flags("Text.\n\nMore.", "memory", ["--help"])
    printed = capsys.readouterr().out
    assert printed.startswith("usage: python -m benchmarks.memory ")
    assert "Text." in printed
    assert "More." not in printed
