"""A trained classifier as a cascade of image sizes: what it costs, and what it gets right."""

import numpy as np

from common.complexity import macs_of
from pale_tf.cascade import scaled, stages_of
from training.loop.evaluation import evaluate_networks

# Probabilities of the best class from which on an image is done; above 1, none ever is.
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.01)


def evaluate_cascade(networks, task, **data):
    """Scores classifiers of several sizes, alone and as a cascade at several thresholds.

    Args:
        networks: Dict of `keras.Model`, from images in 0..255 to probabilities, by their height and
            width in pixels, the smallest first.
        task: The `Task`.
        **data: The other arguments of `evaluate_networks`.

    Returns:
        Dict of `images`; of `sizes`, a list of dicts of `size`, `gmacs` and `accuracy`; and of
        `curve`, a list of dicts of `threshold`, `gmacs`, the mean of an image, `accuracy`, and
        `shares` of the images that stop at each size.
    """
    sizes = list(networks)

    def inference(size):
        return lambda images: networks[size](scaled(images, size), training=False)

    reports = evaluate_networks({size: inference(size) for size in sizes}, task, **data)
    gmacs = np.array([macs_of(networks[size], (size, size, 3)) / 1e9 for size in sizes])
    probabilities = np.array([reports[size].probabilities for size in sizes])
    right = probabilities.argmax(axis=2) == reports[sizes[0]].labels
    rows = zip(sizes, gmacs, right, strict=True)
    return {
        "images": int(right.shape[1]),
        "sizes": [
            {"size": size, "gmacs": float(cost), "accuracy": float(found.mean())}
            for size, cost, found in rows
        ],
        "curve": [_point(probabilities.max(axis=2), right, gmacs, t) for t in THRESHOLDS],
    }


def _point(confidences, right, gmacs, threshold):
    """Accuracy and cost at a threshold: an image costs all sizes that it is seen at."""
    stages = stages_of(confidences, threshold)
    return {
        "threshold": threshold,
        "gmacs": float(np.cumsum(gmacs)[stages].mean()),
        "accuracy": float(right[stages, np.arange(right.shape[1])].mean()),
        "shares": [float((stages == stage).mean()) for stage in range(len(gmacs))],
    }


def print_cascade(scores):
    """Prints what `evaluate_cascade` returned."""
    import rich.console
    import rich.table

    sizes = [row["size"] for row in scores["sizes"]]
    table = rich.table.Table(title=f"{scores['images']} images")
    table.add_column("")
    for heading in ("GMACs", "accuracy", *(f"stop\nat {size}" for size in sizes)):
        table.add_column(heading, justify="right")
    for row in scores["sizes"]:
        table.add_row(f"{row['size']} alone", f"{row['gmacs']:.3g}", f"{row['accuracy']:.4f}")
    table.add_section()
    for point in scores["curve"]:
        numbers = (f"{point['gmacs']:.3g}", f"{point['accuracy']:.4f}")
        shares = (f"{share:.0%}" for share in point["shares"])
        is_last = point["threshold"] > 1
        name = "all sizes" if is_last else f"until {point['threshold']:g}"
        table.add_row(name, *numbers, *shares)
    rich.console.Console(markup=False, emoji=False).print(table)
