"""Pictures of a run: curves, confusion matrix, contact sheets.

Names of classes may hold dollar signs, so matplotlib is kept from reading them as formulas.
"""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np

NAMED_CLASSES = 40  # more names than that cannot be read
COLUMNS = 6
CURVES = 4  # in a row


def plot_curves(history, quantities, path):
    """Draws quantities such as `("loss", "accuracy")` of every epoch.

    Args:
        history: Rows of `history.csv`, dicts of numbers or their texts; one at least.
        quantities: Names of the quantities; those of which the history has no number are left out.
        path: File of the picture.
    """
    lines = {"": "training", "val_": "validation", "val_ema_": "validation, averaged weights"}
    names = {name for row in history for name in row}
    known = [one for one in quantities if names & {prefix + one for prefix in lines}]
    columns = min(len(known), CURVES)
    rows = -(-len(known) // columns)
    size = (5 * columns, 4 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axis in axes.flat[len(known) :]:
        axis.axis("off")
    for axis, quantity in zip(axes.flat, known, strict=False):
        for prefix, label in lines.items():
            name = prefix + quantity
            points = [(int(row["epoch"]), float(row[name])) for row in history if name in row]
            if points:
                axis.plot(*zip(*points, strict=True), label=label)
        axis.set(xlabel="epoch", ylabel=quantity)
        axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend()
    _save(figure, path)


def plot_confusion(matrix, names, path):
    """Draws a matrix of counts: the class down, the most probable class across."""
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axis = plt.subplots(figsize=(8, 7), layout="constrained")
    picture = axis.imshow(share, vmin=0, vmax=1, cmap="Blues")
    figure.colorbar(picture, label="share of the class")
    axis.set(xlabel="predicted", ylabel="class")
    if len(names) <= NAMED_CLASSES:
        axis.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
        axis.set_yticks(range(len(names)), names, parse_math=False)
    if len(names) <= NAMED_CLASSES // 2:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                color = "white" if share[row, column] > 0.5 else "black"
                axis.text(column, row, count, ha="center", va="center", color=color)
    _save(figure, path)


def plot_images(images, titles, path):
    """Draws a contact sheet: images with values in 0..255, and a line above each."""
    rows = -(-len(images) // COLUMNS)
    size = (2 * COLUMNS, 2.3 * rows)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=size, layout="constrained", squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(np.clip(image, 0, 255).astype("uint8"))
        axis.set_title(title, fontsize=8, parse_math=False)
    _save(figure, path)


def plot_pairs(rows, titles, path):
    """Draws rows of pictures that belong together, two rows side by side.

    Args:
        rows: For each row a list of uint8 arrays `[H, W, 3]`, of any sizes.
        titles: Of the columns, as many as pictures in a row.
        path: File of the picture.
    """
    wide = 2 * len(titles)
    high = -(-len(rows) // 2)
    size = (3.4 * wide, 3.8 * high)
    figure, axes = plt.subplots(high, wide, figsize=size, layout="constrained", squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    cells = [picture for row in rows for picture in row]
    for place, (axis, picture) in enumerate(zip(axes.flat, cells, strict=False)):
        axis.imshow(picture)
        axis.set_title(titles[place % len(titles)], fontsize=9)
    _save(figure, path)


def plot_cascade(sizes, curve, path):
    """Draws the accuracy of a cascade against its cost, beside each size alone.

    Args:
        sizes, curve: As `training.cascades.evaluate_cascade` returns them.
        path: File of the picture.
    """
    figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
    for rows, style, label in ((curve, "o-", "cascade"), (sizes, "s--", "one size")):
        costs, accuracies = ([row[name] for row in rows] for name in ("gmacs", "accuracy"))
        axis.plot(costs, accuracies, style, label=label)
    named = [(f"{row['size']}×{row['size']}", row, -16) for row in sizes]
    named += [(f"until {curve[0]['threshold']:g}", curve[0], 9), ("all sizes", curve[-1], 9)]
    for text, row, above in named:
        place = (row["gmacs"], row["accuracy"])
        axis.annotate(text, place, xytext=(0, above), textcoords="offset points", ha="center")
    axis.set(xlabel="mean GMACs of an image", ylabel="accuracy", xlim=(0, None))
    axis.grid(alpha=0.3)
    axis.margins(0.12)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    _save(figure, path)


def _save(figure, path):
    figure.savefig(path, dpi=120)
    plt.close(figure)
