"""Time, memory and multiply-accumulates of Pale-T against the size of the image.

python -m benchmarks.scaling              # two minutes on two cores
python -m benchmarks.scaling --quick      # in 50 seconds: Pale attention alone, up to 448×448

One image, and global attention in the same network beside it; each in a process of its own. Raw
results go to benchmarks/results/scaling.json; table and plot of docs/benchmarks.md are made of
them.
"""

import statistics

from rich.progress import track

from benchmarks.reports import parse_flags, publish
from benchmarks.timing import origin, run_apart

SIZES = (224, 448, 672, 896)
ATTENTIONS = ("pale", "global")
TICKS = (1, 2, 5, 10, 20, 50)


def main(argv=None):
    flags = parse_flags(__doc__, "scaling", argv)
    tasks = [(attention, size) for attention in ATTENTIONS for size in SIZES]
    tasks = tasks[:2] if flags.quick else tasks
    found = [
        run_apart("attention_cost", *task) for task in track(tasks, "measuring", transient=True)
    ]
    result = {"rows": found, **origin()}
    publish("scaling", result, rows(result), flags, lambda axis: draw(axis, found))


def rows(result):
    """Heading and rows of the table; what is in brackets is in parts of the smallest size."""
    table = [["attention", "size", "pixels", "GMACs", "s", "MB"]]
    first = {}
    for row in result["rows"]:
        base = first.setdefault(row["attention"], row)
        cells = [row["attention"], str(row["size"]), f"{(row['size'] / base['size']) ** 2:.0f}×"]
        cells.append(f"{row['macs'] / 1e9:.1f} ({row['macs'] / base['macs']:.1f}×)")
        if row["seconds"] is None:  # would not fit
            table.append([*cells, "-", "-"])
            continue
        seconds, smallest = (statistics.median(r["seconds"]) for r in (row, base))
        cells.append(f"{seconds:.2f} ({seconds / smallest:.1f}×)")
        cells.append(f"{row['bytes'] / 1e6:.0f} ({row['bytes'] / base['bytes']:.1f}×)")
        table.append(cells)
    return table


def draw(axis, found):
    """Seconds and memory against pixels, both in parts of those at the smallest size."""
    for attention, color in zip(ATTENTIONS, ("#d9480f", "#1c5d99"), strict=True):
        lines = [row for row in found if row["attention"] == attention and row["seconds"]]
        pixels = [row["size"] ** 2 / lines[0]["size"] ** 2 for row in lines]
        for label, style, values in (
            ("time", "o-", [statistics.median(row["seconds"]) for row in lines]),
            ("memory", "s--", [row["bytes"] for row in lines]),
            ("GMACs", ":", [row["macs"] for row in lines]),
        ):
            ratios = [value / values[0] for value in values]
            axis.plot(pixels, ratios, style, color=color, label=f"{attention}: {label}")
    axis.set(
        title="Pale-T, one image: cost against size",
        xlabel="size of the image",
        ylabel="times the cost at 224×224",
        xscale="log",
        yscale="log",
    )
    axis.set_xticks([(size / SIZES[0]) ** 2 for size in SIZES], [f"{s}×{s}" for s in SIZES])
    axis.set_yticks(TICKS, TICKS)
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend()


if __name__ == "__main__":
    main()
