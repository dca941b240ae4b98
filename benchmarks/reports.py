"""Flags of the speed benchmarks, and what becomes of their results: files, tables and plots."""

import pathlib
import tempfile

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from benchmarks.flags import make_parser
from benchmarks.paths import DOCS, IMAGES, RESULTS, ROOT
from benchmarks.tables import markdown, print_table, replace_part
from common.files import replacing, write_json

DOCUMENT = DOCS / "benchmarks.md"


def parse_flags(description, name, argv, tasks=()):
    """The flags of a benchmark. Other results than the committed ones leave the document alone.

    Args:
        description: Text of the program.
        name: Of the benchmark.
        argv: Words of the command line, or None for those of the program.
        tasks: What `--task` chooses from, if the benchmark has several; the first one by default.

    Returns:
        The flags, and `name`: of the results, which those of another task than the first end in.
    """
    parser = make_parser(name, description)
    if tasks:
        parser.add_argument("--task", choices=tasks, default=tasks[0], help=f"({tasks[0]})")
    parser.add_argument("--quick", action="store_true", help="fewer of everything, in 50 seconds")
    folder = RESULTS.relative_to(ROOT)
    parser.add_argument("--json", type=pathlib.Path, help=f"(default: a file in {folder})")
    flags = parser.parse_args(argv)
    flags.name = f"{name}_{flags.task}" if tasks and flags.task != tasks[0] else name
    results = RESULTS / f"{flags.name}.json"
    if flags.json is None and flags.quick:
        flags.json = pathlib.Path(tempfile.mkdtemp(prefix="benchmark-")) / results.name
    flags.json = flags.json or results
    flags.document = DOCUMENT if flags.json == results else None
    return flags


def publish(name, result, rows, flags, draw=None):
    """Writes raw results, table and plot.

    Args:
        name: Of the benchmark, and of its part of the document.
        result: What was measured.
        rows: Lists of texts, the headings first.
        flags: What `parse_flags` gave.
        draw: Function of a `matplotlib` axis that draws the result, or None.
    """
    write_json(flags.json, result)
    picture = flags.json.with_suffix(".png")
    if flags.document:
        replace_part(flags.document, name, markdown(rows))
        picture = IMAGES / f"{name}.png"
    if draw:
        save_plot(draw, picture)
    print_table(rows, result["machine"])


def save_plot(draw, path, height=4.6, **grid):
    """Saves what `draw` draws, as wide as the text of a page.

    Args:
        draw: Function of a `matplotlib` axis; of an array of them if there are several.
        path: File of the picture, a PNG.
        height: In inches; the width is 9.
        **grid: Arguments of `matplotlib.pyplot.subplots`, where there are several.
    """
    figure, axes = plt.subplots(figsize=(9, height), layout="constrained", **grid)
    draw(axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")
    plt.close(figure)
