"""Memory and time of a training step of Pale-T, with and without rematerialization.

python -m benchmarks.memory               # seven minutes on two cores, most of them tracing
python -m benchmarks.memory --quick       # in 50 seconds: Pale-N, with and without

Each row is measured in a process of its own, by how far a step raises the peak of resident memory
over what was held before. Raw results go to benchmarks/results/memory.json; the table of
docs/benchmarks.md is made of them.
"""

import json
import statistics
import sys

from rich.progress import track

from benchmarks.reports import parse_flags, publish
from benchmarks.timing import origin, peak_of, run_apart

BATCH = 8
STAGES = ((), (1,), (1, 2), (1, 2, 3, 4))


def main(argv=None):
    flags = parse_flags(__doc__, "memory", argv)
    network, choices = ("pale_n", STAGES[::3]) if flags.quick else ("pale_t", STAGES)
    found = [
        run_apart("memory", "--one", network, *stages) for stages in track(choices, "measuring")
    ]
    result = {"network": network, "batch": BATCH, "rows": found, **origin()}
    publish("memory", result, rows(result), flags)


def measure(network, stages):
    """Bytes and seconds of steps that rematerialize some stages."""
    from benchmarks.training_step import make_step

    return {"stages": stages, **peak_of(make_step(network, BATCH, stages), repetitions=7)}


def rows(result):
    """Heading and rows of the table."""
    table = [["rematerialized stages", "MB", "of keeping all", "s a step", "of keeping all"]]
    first = result["rows"][0]
    base = statistics.median(first["seconds"])
    for row in result["rows"]:
        seconds = statistics.median(row["seconds"])
        table.append(
            [
                ", ".join(map(str, row["stages"])) or "none",
                f"{row['bytes'] / 1e6:.0f}",
                f"{row['bytes'] / first['bytes']:.0%}",
                f"{seconds:.2f}",
                f"{seconds / base:.0%}",
            ]
        )
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], tuple(map(int, sys.argv[3:])))))
    else:
        main()
