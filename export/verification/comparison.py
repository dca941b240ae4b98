"""How far an artifact's numbers are from the network's, and how far they may be."""

import keras
import numpy as np

from common.errors import ProgramError
from common.preparation import evaluation_image
from common.trained import in_float32
from export.network import pyramid

# Bounds by precision. `error`: the largest difference. `noise`: the
# root mean square error of the logits over their standard deviation among classes. `agreement`: the
# share of images with the same best class, among those that the network is decided on.
BOUNDS = {
    "float32": {"error": 1e-4},
    "float16": {"noise": 0.01, "agreement": 0.99},
    "bfloat16": {"noise": 0.1, "agreement": 0.99},
    "dynamic": {"noise": 0.1, "agreement": 0.99},
    "int8": {"noise": 0.1, "agreement": 0.99},
}

# A network is decided on an image if its two best probabilities differ by this at least.
MARGIN = 0.01


def reference(network, images):
    """Outputs of a classifier, computed apart from its inference form.

    Args:
        network: A `keras.Model` of images to class scores that ends in the layer `predictions`.
        images: float32 `[N, H, W, 3]`.

    Returns:
        Dict of arrays: `logits` and `probabilities`, `[N, classes]`, and `P2` to `P5`.
    """
    network = in_float32(network, images.shape[1])
    predictions = network.get_layer("predictions")
    wanted = {"pooled": predictions.input, "probabilities": predictions.output}
    outputs = keras.Model(network.inputs[0], wanted | pyramid(network)).predict(
        images, verbose=0, batch_size=8
    )
    kernel, bias = predictions.get_weights()
    outputs["logits"] = logits = outputs.pop("pooled").astype("float64") @ kernel + bias
    if predictions.activation is keras.activations.linear:
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        outputs["probabilities"] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return outputs


def compare(outputs, expected):
    """Compares the outputs of a signature with those of the network.

    Args:
        outputs: Dict of arrays.
        expected: What `reference` returns, for the same images.

    Returns:
        Dict of `error`, the largest difference; that of the pyramid is counted in parts of the
        largest feature of its level. With `logits` among the outputs, also `noise`, `agreement`
        (None if the network is decided on no image) and `decided`, the number of images on which it
        is.

    Raises:
        ProgramError: If the outputs are not those of such a network.
    """
    errors = []
    for name, value in outputs.items():
        if name not in expected or expected[name].shape != value.shape:
            raise ProgramError(
                f"the artifact's {name} {list(value.shape)} is not an output of the network's"
            )
        unit = abs(expected[name]).max() if name.startswith("P") else 1.0
        errors.append(float(abs(value - expected[name]).max()) / unit)
    figures = {"error": max(errors)}
    if "logits" not in outputs:
        return figures
    difference = outputs["logits"] - expected["logits"]
    spread = expected["logits"].std(axis=1, keepdims=True)
    best = np.sort(expected["probabilities"], axis=1)[:, -2:]
    decided = best[:, 1] - best[:, 0] >= MARGIN
    same = outputs["logits"].argmax(axis=1) == expected["logits"].argmax(axis=1)
    return figures | {
        "noise": float(np.sqrt(np.mean((difference / spread) ** 2))),
        "agreement": float(same[decided].mean()) if decided.any() else None,
        "decided": int(decided.sum()),
    }


def compare_bytes(outputs, trained, images):
    """Compares `serve_bytes` with the network on the same images.

    Args:
        outputs: Dict of `classes` and `scores`, `[N, k]`.
        trained: The `Trained`.
        images: float32 `[N, S, S, 3]`, whole numbers; what was sent as PNG files.

    Returns:
        Dict of `error`, the largest difference of the score of any label that was given.
    """
    size = images.shape[1]
    prepared = [evaluation_image(image, size, trained.crop_fraction) for image in images]
    expected = reference(trained.network, np.stack(prepared))["probabilities"]
    labels = np.char.encode(trained.labels)
    best = -np.sort(-expected, axis=1)
    errors = []
    rows = zip(expected, best, outputs["classes"], outputs["scores"], strict=True)
    for probabilities, highest, classes, scores in rows:
        errors += list(abs(scores - highest[: len(scores)]))
        for label, score in zip(classes, scores, strict=True):  # of a label that occurs twice, any
            errors.append(abs(probabilities[labels == label] - score).min(initial=1.0))
    return {"error": float(max(errors))}


def missed_bounds(figures, precision):
    """The bounds of a precision that figures of `compare` miss, one text each."""
    missed = []
    for name, bound in BOUNDS[precision].items():
        value = figures.get(name)
        if value is None:
            continue
        if not (value >= bound if name == "agreement" else value <= bound):
            missed.append(f"{name} is {value:.3g}, the bound of {precision} is {bound:g}")
    return missed
