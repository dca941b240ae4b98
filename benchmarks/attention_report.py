"""Makes the table and the plot of docs/attentions.md from raw results."""

import statistics

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from rich.table import Table

from benchmarks.attention_prediction import predicted_accuracy
from benchmarks.reports import markdown, replace_part
from common.files import replacing
from pale_tf.layers.attention import ATTENTIONS

SIZES = (224, 448, 896)
TASKS = {"digits": "digits", "long_range": "two marks far apart, one block"}


def write_report(results, report, plot):
    """Writes the tables into a document and draws the plot.

    Args:
        results: What benchmarks/attentions.py measured.
        report: Document whose part between the two marks is replaced, or None.
        plot: Path of the picture.

    Returns:
        A `rich` table of the same.
    """
    costs = {(row["attention"], row["size"]): row for row in results["cost"]}
    scores = {}
    for row in results["accuracy"]:
        scores.setdefault((row["attention"], row["task"]), []).append(row["accuracy"])
    names = [name for name in ATTENTIONS if any(key[0] == name for key in (*costs, *scores))]
    rows = [cost_row(name, costs) for name in names], [score_row(name, scores) for name in names]
    if report is not None:
        tables = (markdown(heads, *cells) for heads, cells in zip(HEADINGS, rows, strict=True))
        replace_part(report, "measured", "\n".join(tables))
    draw(costs, scores, plot)
    table = Table(title="Pale-T with every attention; small networks trained with it")
    for heading in HEADINGS[0] + HEADINGS[1][1:]:
        table.add_column(heading)
    for one, other in zip(*rows, strict=True):
        table.add_row(*one, *other[1:])
    return table


HEADINGS = (
    ["", "M params", *(f"{unit} {s}" for unit in ("GMACs", "s", "MB") for s in SIZES), "region"],
    ["", *TASKS.values(), "what its regions predict"],
)


def cost_row(name, costs):
    """Parameters, GMACs, seconds, memory and region of an attention."""
    rows = [costs.get((name, size)) for size in SIZES]
    known = next((row for row in rows if row), None)
    return [
        f"`{name}`",
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
    return [f"`{name}`", *cells, f"{100 * predicted:.1f}" if predicted else "-"]


def draw(costs, scores, path):
    """Accuracy of the small networks against the GMACs of Pale-T at 224×224."""
    figure, axes = plt.subplots(1, len(TASKS), figsize=(13, 5), layout="constrained")
    for axis, (task, title) in zip(axes, TASKS.items(), strict=True):
        for name in ATTENTIONS:
            values, cost = scores.get((name, task)), costs.get((name, SIZES[0]))
            if not values or not cost:
                continue
            colour = "#d9480f" if name.startswith("pale") else "#1c5d99"
            x, y = cost["macs"] / 1e9, 100 * statistics.mean(values)
            spread = 100 * statistics.stdev(values) if len(values) > 1 else 0
            axis.errorbar(x, y, spread, fmt="o", color=colour, capsize=3, markersize=5)
            axis.annotate(name, (x, y), (4, 4), textcoords="offset points", fontsize=8)
        axis.set(title=title, xlabel="GMACs of Pale-T with it, 224×224", ylabel="accuracy, %")
        axis.set_xscale("log")
        axis.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")
    plt.close(figure)
