"""Latency of LiteRT files beside each other, repetitions interleaved.

python benchmarks/lite.py FILE.tflite…                # prints a table; ratios are to the first file
python benchmarks/lite.py FILE.tflite… --json FILE    # and writes every repetition
"""

import argparse
import os
import pathlib
import platform
import statistics
import sys
import time

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import ai_edge_litert
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from common.cli import new_file
from common.files import write_json
from export.reload import THREADS, open_lite


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", metavar="FILE", nargs="+", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=30, help="(default: %(default)s)")
    parser.add_argument("--json", type=new_file, help="also write the times to this file")
    flags = parser.parse_args(argv)
    runners = {str(path): make_runner(path) for path in flags.files}
    times = {name: [] for name in runners}
    for _ in track(range(flags.repetitions), description="measuring", transient=True):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    sizes = {str(path): path.stat().st_size for path in flags.files}
    print_table(times, sizes)
    if flags.json:
        result = {
            "command": ["python", *sys.argv],
            "milliseconds": times,
            "bytes": sizes,
            "threads": THREADS,
            "versions": {"ai-edge-litert": ai_edge_litert.__version__},
            "machine": {"platform": platform.platform(), "cpu": cpu(), "cpus": os.cpu_count()},
        }
        write_json(flags.json, result)


def make_runner(path):
    """A function that runs the network of a file on one batch."""
    interpreter = open_lite(path)
    entry = interpreter.get_input_details()[0]
    images = np.random.default_rng(0).uniform(0, 255, entry["shape"]).astype("float32")
    interpreter.set_tensor(entry["index"], images)
    interpreter.invoke()  # XNNPACK packs the weights
    return interpreter.invoke


def cpu():
    """Name of the processor and what it has for small integers."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {key.strip(): value for key, value in found.items()}
    sets = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}
    present = sorted(sets & set(found.get("flags", "").split()))
    return f"{found.get('model name', '').strip()}, {present}"


def print_table(times, sizes):
    table = Table(title=f"LiteRT, {THREADS} threads, {cpu()}")
    for heading in ("", "MB", "ms", "speed"):
        table.add_column(heading, justify="right" if heading else "left")
    first = next(iter(times.values()))
    for name, values in times.items():
        ratios = [base / value for base, value in zip(first, values, strict=True)]
        low, high = np.quantile(ratios, (0.1, 0.9))
        spread = f"{statistics.median(ratios):.2f}x ({low:.2f} to {high:.2f})"
        table.add_row(name, f"{sizes[name] / 1e6:.1f}", f"{statistics.median(values):.1f}", spread)
    Console().print(table)


if __name__ == "__main__":
    main()
