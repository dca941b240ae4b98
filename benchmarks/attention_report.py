"""Tables and plot of docs/attentions.md, made from raw results."""

import statistics

from benchmarks.attention_prediction import predicted_accuracy
from benchmarks.reports import save_plot
from benchmarks.tables import markdown, print_table, replace_part
from pale_tf.layers.attention import ATTENTIONS

SIZES = (224, 448, 896)
TASKS = {"digits": "digits", "long_range": "two marks far apart,\none block"}
COST_HEADINGS = [
    *("", "M\nparams"),
    *(f"{unit}\n{size}" for unit in ("GMACs", "s", "MB") for size in SIZES),
    "region",
]
SCORE_HEADINGS = ["", *TASKS.values(), "what its\nregions predict"]


def write_report(results, report, plot):
    """Prints the tables, writes them into a document and draws the plot.

    Args:
        results: What benchmarks/attentions.py measured.
        report: Document whose part between the two marks is replaced, or None.
        plot: Path of the picture.
    """
    costs = {(row["attention"], row["size"]): row for row in results["cost"]}
    scores = {}
    for row in results["accuracy"]:
        scores.setdefault((row["attention"], row["task"]), []).append(row["accuracy"])
    names = [name for name in ATTENTIONS if any(key[0] == name for key in (*costs, *scores))]
    tables = [
        [COST_HEADINGS, *(cost_row(name, costs) for name in names)],
        [SCORE_HEADINGS, *(score_row(name, scores) for name in names)],
    ]
    for table, title in zip(tables, ("Pale-T with every attention", "small networks"), strict=True):
        print_table(table, title)
    if report is not None:
        replace_part(report, "measured", "\n".join(map(markdown, map(as_code, tables))))
    save_plot(lambda axes: draw(axes, costs, scores), plot, ncols=1 + len(TASKS), sharey=True)


def as_code(table):
    """A table whose first column is marked as code."""
    return [table[0], *([f"`{name}`", *cells] for name, *cells in table[1:])]


def cost_row(name, costs):
    """Parameters, GMACs, seconds, memory and region of an attention."""
    rows = [costs.get((name, size)) for size in SIZES]
    known = next((row for row in rows if row), None)
    return [
        name,
        f"{known['parameters'] / 1e6:.2f}" if known else "",
        *(f"{row['macs'] / 1e9:.1f}" if row else "" for row in rows),
        *(f"{row['median_seconds']:.2f}" if row and row["seconds"] else "-" for row in rows),
        *(f"{row['bytes'] / 1e6:.0f}" if row and row["seconds"] else "-" for row in rows),
        f"{100 * rows[0]['region']:.0f}%" if rows[0] else "",
    ]


def score_row(name, scores):
    """Accuracies of an attention, with their standard deviation over seeds."""
    cells = []
    for task in TASKS:
        values = scores.get((name, task), [])
        spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
        cells.append(f"{100 * statistics.mean(values):.1f}{spread}" if values else "")
    predicted = predicted_accuracy(name)
    return [name, *cells, f"{100 * predicted:.1f}" if predicted else "-"]


def draw(axes, costs, scores):
    """GMACs at 224×224 and accuracies, side by side; the cheapest attention is at the top."""
    size = SIZES[0]
    names = [name for name in ATTENTIONS if (name, size) in costs]
    names.sort(key=lambda name: costs[name, size]["macs"], reverse=True)
    colors = ["#d9480f" if name.startswith("pale") else "#1c5d99" for name in names]
    axes[0].barh(names, [costs[name, size]["macs"] / 1e9 for name in names], color=colors)
    axes[0].set(title=f"Pale-T, {size}×{size}", xlabel="GMACs")
    for axis, (task, title) in zip(axes[1:], TASKS.items(), strict=True):
        for name, color in zip(names, colors, strict=True):
            values = [100 * value for value in scores.get((name, task), [])]
            if values:
                spread = statistics.stdev(values) if len(values) > 1 else 0
                mean = statistics.mean(values)
                axis.errorbar(mean, name, xerr=spread, fmt="o", color=color, capsize=3)
        axis.set(title=title, xlabel="accuracy, %")
    for axis in axes:
        axis.grid(alpha=0.3, axis="x")
        axis.set_axisbelow(True)
