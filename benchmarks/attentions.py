"""Every attention in the same network: what it costs and what it learns.

python -m benchmarks.attentions            # three quarters of an hour on two cores
python -m benchmarks.attentions --quick    # minutes: fewer attentions, sizes, steps and seeds
python -m benchmarks.attentions --only cost   # the costs alone, on an idle machine

Raw results go to benchmarks/results/attentions.json, and what they hold already is not measured
again unless --fresh is given. The tables and the plot of docs/attentions.md are made of them.
"""

import concurrent.futures
import json
import multiprocessing
import pathlib
import tempfile

import tensorflow as tf
from rich.progress import track

from benchmarks import attention_accuracy
from benchmarks.attention_accuracy import COMPARISONS, make_recipe
from benchmarks.attention_report import SIZES, write_report
from benchmarks.flags import make_parser
from benchmarks.paths import DOCS, IMAGES, RESULTS, ROOT
from benchmarks.timing import origin, run_apart
from common.files import write_json
from pale_tf.layers.attention import ATTENTIONS

RAW = RESULTS / "attentions.json"
PARTS = ("accuracy", "cost")
SEEDS = (0, 1, 2)
QUICK = ("pale", "cross_shaped", "axial", "window", "global")


def main(argv=None):
    flags = parse_flags(argv)
    results = json.loads(flags.json.read_text()) if flags.json.exists() else {}
    for part, measure in (("accuracy", measure_accuracy), ("cost", measure_cost)):
        results.setdefault(part, [])
        if flags.only in (None, part):
            if flags.fresh:
                kept = [row for row in results[part] if row["attention"] not in flags.attentions]
                results[part] = kept
            measure(results[part], flags, lambda: write_json(flags.json, results))
    write_report(results, flags.report, flags.plot)


def parse_flags(argv):
    parser = make_parser("attentions", __doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    parser.add_argument("--fresh", action="store_true", help="measure again what is in --json")
    parser.add_argument("--attentions", nargs="+", choices=ATTENTIONS)
    parser.add_argument("--json", type=pathlib.Path, help=f"(default: {RAW.relative_to(ROOT)})")
    parser.add_argument("--report", type=pathlib.Path, help="(default: docs/attentions.md)")
    parser.add_argument("--plot", type=pathlib.Path, help="(default: docs/images/attentions.png)")
    flags = parser.parse_args(argv)
    flags.attentions = flags.attentions or (QUICK if flags.quick else list(ATTENTIONS))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="attentions-")) if flags.quick else None
    flags.json = flags.json or (folder / "attentions.json" if folder else RAW)
    if flags.json == RAW:  # others leave the committed documents alone
        flags.report = flags.report or DOCS / "attentions.md"
        flags.plot = flags.plot or IMAGES / "attentions.png"
    flags.plot = flags.plot or flags.json.with_suffix(".png")
    return flags


def measure_accuracy(rows, flags, save):
    """Trains what is not in the results, in two processes of one thread each."""
    seeds, share = (SEEDS[:1], 0.1) if flags.quick else (SEEDS, 1.0)
    done = {(row["task"], row["attention"], row.get("epochs")) for row in rows}
    runs = [
        (name, attention)
        for name in COMPARISONS
        for attention in flags.attentions
        if (name, attention, make_recipe(name, attention, share).epochs) not in done
    ]
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as data,
        concurrent.futures.ProcessPoolExecutor(2, spawn, initializer=take_one_core) as pool,
    ):
        for name in COMPARISONS:  # the data sets, before two processes want them
            pool.submit(attention_accuracy.prepare, name, data).result()
        futures = {
            pool.submit(attention_accuracy.train, *run, seeds, data, share): run for run in runs
        }
        finished = concurrent.futures.as_completed(futures)
        for future in track(finished, "training", total=len(futures), transient=True):
            others = [row for row in rows if (row["task"], row["attention"]) != futures[future]]
            rows[:] = others + [row | origin() for row in future.result()]
            save()


def take_one_core():
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def measure_cost(rows, flags, save):
    """Measures what is not in the results, each in a process of its own."""
    done = {(row["attention"], row["size"]) for row in rows}
    sizes = SIZES[:1] if flags.quick else SIZES
    tasks = [
        (attention, size)
        for size in sizes
        for attention in flags.attentions
        if (attention, size) not in done
    ]
    for attention, size in track(tasks, "measuring", transient=True):
        rows.append(run_apart("attention_cost", attention, size) | origin())
        save()


if __name__ == "__main__":
    main()
