"""Cheaper forms of Pale-T: what they save in milliseconds, and what they cost in accuracy.

python -m benchmarks.efficiency                  # hours on two cores
python -m benchmarks.efficiency --quick          # minutes: three forms, one seed, digits alone
python -m benchmarks.efficiency --only speed     # on an idle machine

Times are of Pale-T at 224×224, one image at a time, as LiteRT file and as OpenVINO model. Scores
are of a small network in the same form: accuracy on digits, mIoU on digit scenes. Raw results go to
benchmarks/results/efficiency.json; table and plot of docs/efficiency.md are made of them. A score
that is in there is not measured again: remove the file to start anew.
"""

import concurrent.futures
import functools
import itertools
import json
import multiprocessing
import pathlib
import statistics
import tempfile

from matplotlib.transforms import Bbox
from rich.progress import track

from benchmarks import efficiency_accuracy
from benchmarks.attentions import take_one_core
from benchmarks.efficiency_accuracy import COMPARISONS
from benchmarks.efficiency_variants import PLAIN, PRUNED, VARIANTS, timed_config
from benchmarks.flags import make_parser
from benchmarks.paths import DOCS, IMAGES, RESULTS, ROOT
from benchmarks.reports import save_plot
from benchmarks.tables import markdown, print_table, replace_part
from benchmarks.timing import interleave, origin, speed
from benchmarks.worker import staff, together
from common.files import write_json
from export.serving.server_files import ENVIRONMENT

RAW = RESULTS / "efficiency.json"
RUNTIMES = {"LiteRT": "benchmarks.artifacts:lite", "OpenVINO": "benchmarks.artifacts:openvino"}
QUICK = (PLAIN, "sharing 2", PRUNED)


def main(argv=None):
    flags = parse_flags(argv)
    results = json.loads(flags.json.read_text()) if flags.json.exists() else {}
    for part in flags.parts:
        for found in PARTS[part](flags, results.get(part)):
            results[part] = found
            write_json(flags.json, results)
    rows = table_rows(results)
    print_table(rows)
    if flags.json == RAW:  # others leave the committed document alone
        replace_part(DOCS / "efficiency.md", "measured", markdown(rows))
    picture = IMAGES / "efficiency.png" if flags.json == RAW else flags.json.with_suffix(".png")
    save_plot(lambda axes: draw(axes, results), picture, 8.4, nrows=len(COMPARISONS), sharex=True)


def parse_flags(argv):
    parser = make_parser("efficiency", __doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    parser.add_argument("--json", type=pathlib.Path, help=f"(default: {RAW.relative_to(ROOT)})")
    flags = parser.parse_args(argv)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="efficiency-")) if flags.quick else None
    flags.json = flags.json or (folder / RAW.name if folder else RAW)
    flags.variants = QUICK if flags.quick else tuple(VARIANTS)
    flags.parts = [flags.only] if flags.only else QUICK_PARTS if flags.quick else list(PARTS)
    return flags


def measure_speed(flags, _):
    """Times every form in turns, one image at a time, anew: ratios are of one run.

    Yields:
        Once, a dict of `seconds` of each repetition, by runtime and form; of `forms`, the `macs`
        and `parameters` of each; and where it comes from.
    """
    with tempfile.TemporaryDirectory() as folder, staff() as hire:
        about, runners = {}, {}
        for variant in track(flags.variants, "exporting", transient=True):
            about[variant], files = export(variant, pathlib.Path(folder, variant))
            for runtime, target in RUNTIMES.items():
                worker = hire(target, files[runtime], environment=ENVIRONMENT)
                runners[runtime, variant] = together([worker], 1)
        seconds = interleave(runners, 5 if flags.quick else 30)
    by_runtime = {
        runtime: {variant: seconds[runtime, variant] for variant in flags.variants}
        for runtime in RUNTIMES
    }
    yield {"seconds": by_runtime, "forms": about, **origin()}


def export(variant, folder):
    """Writes Pale-T in a form; returns its counts, and its files by runtime."""
    from benchmarks import pale
    from common.complexity import macs_of
    from pale_tf import pale_network

    network = pale_network(
        timed_config(variant), input_shape=(pale.SIZE, pale.SIZE, 3), drop_path_rate=0.0
    )
    pale.disturb(network)
    folder.mkdir()
    files = {"LiteRT": str(folder / "1.tflite"), "OpenVINO": str(folder)}
    pale.write_lite(network, files["LiteRT"])
    pale.write_openvino(network, folder, [1])
    macs = macs_of(lambda image: network(image, training=False), network.input_shape[1:])
    return {"macs": macs, "parameters": network.count_params()}, files


def measure_scores(name, flags, rows):
    """Trains every form once for each seed, in two processes of one thread each.

    Args:
        name: A key of `efficiency_accuracy.COMPARISONS`.
        flags: What was asked for.
        rows: What an earlier call yielded last, or None: those runs are not repeated.

    Yields:
        After each run, the list of what `efficiency_accuracy.train` returned so far, with where it
        comes from.
    """
    seeds, share = COMPARISONS[name].seeds, 1.0
    if flags.quick:
        seeds, share = seeds[:1], 0.1
    rows = list(rows or [])
    done = {(row["variant"], row["seed"]) for row in rows}
    runs = [(variant, seed) for seed in seeds for variant in flags.variants]
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as data,
        concurrent.futures.ProcessPoolExecutor(2, spawn, initializer=take_one_core) as pool,
    ):
        pool.submit(efficiency_accuracy.prepare, name, data).result()
        futures = [
            pool.submit(efficiency_accuracy.train, name, *run, data, share)
            for run in runs
            if run not in done
        ]
        finished = concurrent.futures.as_completed(futures)
        for future in track(finished, name, total=len(futures), transient=True):
            rows.append(future.result() | origin())
            yield rows


PARTS = {
    "speed": measure_speed,
    **{name: functools.partial(measure_scores, name) for name in COMPARISONS},
}
QUICK_PARTS = ["speed", "digits"]


def table_rows(results):
    """Heading and rows of the table: a form each."""
    speeds = results.get("speed")
    scores = {name: scores_of(results, name) for name in COMPARISONS if name in results}
    table = [["", "M\nparams", "GMACs"]]
    for runtime in RUNTIMES:
        table[0] += [f"{runtime},\nms", f"times\n{PLAIN}"]
    table[0] += [COMPARISONS[name].heading for name in scores]
    for variant in VARIANTS:
        row = [variant, *[""] * 6]
        if speeds and variant in speeds["forms"]:
            about = speeds["forms"][variant]
            row[1:3] = [f"{about['parameters'] / 1e6:.1f}", f"{about['macs'] / 1e9:.2f}"]
            for place, seconds in enumerate(speeds["seconds"].values()):
                ratio, *_ = speed(seconds[variant], seconds[PLAIN])
                median = 1000 * statistics.median(seconds[variant])
                row[3 + 2 * place : 5 + 2 * place] = [f"{median:.0f}", f"{ratio:.2f}"]
        row += [_with_spread(found.get(variant, [])) for found in scores.values()]
        if any(row[1:]):
            table.append(row)
    return table


def scores_of(results, name):
    """Scores of a comparison, in percent, of all seeds by form."""
    found = {}
    for row in results.get(name, []):
        found.setdefault(row["variant"], []).append(100 * row["score"])
    return found


def _with_spread(values):
    """Mean and standard deviation in words."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def draw(axes, results):
    """Scores against the time of Pale-T in LiteRT: an axis for each comparison."""
    seconds = results["speed"]["seconds"]["LiteRT"] if "speed" in results else {}
    times = {variant: 1000 * statistics.median(found) for variant, found in seconds.items()}
    for axis, (name, comparison) in zip(axes, COMPARISONS.items(), strict=True):
        _draw_dots(axis, times, scores_of(results, name))
        axis.set_ylabel(comparison.axis)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("ms of Pale-T at 224×224, one image, LiteRT")


def _draw_dots(axis, times, scores):
    """A dot for each form that has both, with the standard deviation of its scores."""
    dots = {}
    for variant, x in times.items():
        if found := scores.get(variant):
            spread = statistics.stdev(found) if len(found) > 1 else 0
            dots[variant] = x, statistics.mean(found), spread
            color = "#d9480f" if variant == PLAIN else "#1c5d99"
            axis.errorbar(*dots[variant], fmt="o", color=color, elinewidth=0.8, capsize=2)
    axis.margins(0.1)
    axis.figure.draw_without_rendering()  # so that it is known where things are
    _name_dots(axis, dots)


def _name_dots(axis, dots):
    """Writes its name beside every dot, in the corner where the fewest dots, bars and names are."""
    ends = ([(x, y - spread), (x, y + spread)] for x, y, spread in dots.values())
    taken = [Bbox(axis.transData.transform(bar)).padded(4) for bar in ends]
    for variant, (x, y, _) in dots.items():
        corners = {}
        for (right, horizontal), (above, vertical) in itertools.product(
            ((5, "left"), (-5, "right")), ((3, "bottom"), (-3, "top"))
        ):
            text = axis.annotate(
                variant,
                (x, y),
                (right, above),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
            )
            corners[text] = text.get_window_extent()
        best = min(corners, key=lambda text: corners[text].count_overlaps(taken))
        taken.append(corners.pop(best))
        for text in corners:
            text.remove()


if __name__ == "__main__":
    main()
