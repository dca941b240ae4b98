"""Latency of LiteRT files beside each other, repetitions interleaved.

python -m benchmarks.lite FILE.tflite…                # prints a table; ratios are to the first file
python -m benchmarks.lite FILE.tflite… --json FILE    # and writes every repetition
"""

import pathlib
import statistics

import numpy as np

from benchmarks.flags import make_parser
from benchmarks.tables import print_table
from benchmarks.timing import cpu, in_words, interleave, origin, speed
from common.cli import new_file
from common.files import write_json
from export.verification.running import THREADS, open_lite


def main(argv=None):
    parser = make_parser("lite", __doc__)
    parser.add_argument("files", metavar="FILE", nargs="+", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=30, help="(default: %(default)s)")
    parser.add_argument("--json", type=new_file, help="also write the times to this file")
    flags = parser.parse_args(argv)
    runners = {str(path): make_runner(path) for path in flags.files}
    times = interleave(runners, flags.repetitions)
    sizes = {str(path): path.stat().st_size for path in flags.files}
    report(times, sizes)
    if flags.json:
        result = {
            "milliseconds": {n: [1000 * s for s in values] for n, values in times.items()},
            "bytes": sizes,
            "threads": THREADS,
        }
        write_json(flags.json, result | origin())


def make_runner(path):
    """A function that runs the network of a file on one batch."""
    interpreter = open_lite(path)
    entry = interpreter.get_input_details()[0]
    images = np.random.default_rng(0).uniform(0, 255, entry["shape"]).astype("float32")
    interpreter.set_tensor(entry["index"], images)
    interpreter.invoke()  # XNNPACK packs the weights
    return interpreter.invoke


def report(times, sizes):
    """Prints sizes, medians, and speed beside the first file."""
    rows = [["", "MB", "ms", "speed"]]
    first = next(iter(times.values()))
    for name, values in times.items():
        median = f"{1000 * statistics.median(values):.1f}"
        rows.append([name, f"{sizes[name] / 1e6:.1f}", median, in_words(speed(values, first))])
    print_table(rows, f"LiteRT, {THREADS} threads, {cpu()}")


if __name__ == "__main__":
    main()
