"""What the speed benchmarks share: flags, and tables in a document, on the screen and as a plot."""

import argparse
import pathlib
import tempfile

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from common.files import replacing, write_json

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def parse_flags(description, name, argv):
    """The flags of a benchmark. Other results than the committed ones leave the document alone."""
    results = ROOT / "benchmarks" / "results" / f"{name}.json"
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer of everything, in 50 seconds")
    parser.add_argument("--json", type=pathlib.Path, help=f"(default: {results.relative_to(ROOT)})")
    flags = parser.parse_args(argv)
    if flags.json is None and flags.quick:
        flags.json = pathlib.Path(tempfile.mkdtemp(prefix="benchmark-")) / f"{name}.json"
    flags.json = flags.json or results
    flags.document = DOCUMENT if flags.json == results else None
    return flags


def publish(name, result, rows, flags, draw=None):
    """Writes raw results, table and plot.

    Args:
        name: Of the benchmark, and of its part of the document.
        result: What was measured.
        rows: Lists of texts, the heading first.
        flags: What `parse_flags` gave.
        draw: Function of a `matplotlib` axis that draws the result, or None.
    """
    write_json(flags.json, result)
    picture = flags.json.with_suffix(".png")
    if flags.document:
        replace_part(flags.document, name, markdown(*rows))
        picture = flags.document.parent / "images" / f"{name}.png"
    if draw:
        save_plot(draw, picture)
    table = Table()
    for heading in rows[0]:
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows[1:]:
        table.add_row(*row)
    console = Console(width=140)
    console.print(result["machine"])
    console.print(table)


def markdown(headings, *rows):
    """A table as lines of Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def replace_part(document, name, text):
    """Replaces what a document has between its two marks of that name."""
    begin, end = (f"<!-- {name}: {word} -->\n" for word in ("begin", "end"))
    with document.open() as file:
        before, rest = file.read().split(begin)
    after = rest.split(end)[1]
    with replacing(document) as temporary:
        temporary.write_text(f"{before}{begin}{text}{end}{after}")


def save_plot(draw, path):
    """Saves what `draw` draws on an axis."""
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    draw(axis)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")
    plt.close(figure)
