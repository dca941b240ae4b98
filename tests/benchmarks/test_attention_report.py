"""Tables and plot of the comparison of attentions."""

import json

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from benchmarks import attention_report
from benchmarks.paths import RESULTS
from tests.benchmarks.attention_results import results


def test_writes_the_part_between_the_marks(tmp_path, capsys):
    report = tmp_path / "report.md"
    marks = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
    report.write_text("before\n{}old\n{}after\n".format(*marks))
    attention_report.write_report(results(), report, tmp_path / "plot.png")
    text = report.read_text()
    assert text.startswith(f"before\n{marks[0]}|")
    assert text.endswith(f"{marks[1]}after\n")
    assert "old" not in text
    assert "| `pale` | 95.0 ± 5.0 |" in text
    pale, unfit = (
        [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.splitlines()
        if line.startswith(("| `pale` | 21", "| `global` | 21"))
    )
    assert pale == ["21.00", "4.0", "4.0", "", "1.00", "1.00", "-", "100", "100", "-", "25%"]
    assert unfit[5] == unfit[8] == "-"
    assert "95.0 ± 5.0" in capsys.readouterr().out
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.size == (810, 414)


def test_the_tables_fit_into_80_columns(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    measured = json.loads((RESULTS / "attentions.json").read_text())
    attention_report.write_report(measured, None, tmp_path / "plot.png")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = [line for line in lines if line.startswith("pale ") and "%" in line]
    assert line.split()[-1] == "44%"  # nothing is cut


def shown_texts(axis):
    """Title, labels and ticks; `matplotlib` keeps ticks outside of the limits, and draws none."""
    texts = [axis.title, axis.xaxis.label]
    for side, interval in (
        (axis.xaxis, axis.viewLim.intervalx),
        (axis.yaxis, axis.viewLim.intervaly),
    ):
        low, high = sorted(interval)
        texts += [tick.label1 for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in texts if text.get_visible() and text.get_text()]


@pytest.mark.slow
def test_no_text_of_the_plot_hides_another(tmp_path, monkeypatch):
    measured = json.loads((RESULTS / "attentions.json").read_text())
    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    attention_report.write_report(measured, None, tmp_path / "plot.png")
    monkeypatch.undo()
    (figure,) = drawn
    figure.canvas.draw()
    texts = [text for axis in figure.axes for text in shown_texts(axis)]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) > 20
    for index, box in enumerate(boxes):
        assert figure.bbox.containsx(box.x0), texts[index]
        assert figure.bbox.containsx(box.x1), texts[index]
        assert figure.bbox.containsy(box.y1), texts[index]
        assert not any(box.overlaps(other) for other in boxes[:index]), texts[index]
    plt.close(figure)
