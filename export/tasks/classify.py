"""Classifiers: networks of images to class scores that end in the layer `predictions`."""

import keras
import numpy as np
import tensorflow as tf

from common.errors import SettingError
from common.labels import labels_of
from common.preparation import crop_fraction_of
from common.run_files import LABELS
from export import tasks
from export.tasks import Task, label_files, label_page
from export.verification import comparison

TOP = 5  # classes that `serve_bytes` gives

# `error`: the largest difference. `noise`: the root mean square error of the logits over their
# standard deviation among classes. `agreement`: the share of images with the same best class, among
# those that the network is decided on.
BOUNDS = {
    "float32": {"error": 1e-4},
    "float16": {"noise": 0.01, "agreement": 0.99},
    "bfloat16": {"noise": 0.1, "agreement": 0.99},
    "dynamic": {"noise": 0.1, "agreement": 0.99},
    "int8": {"noise": 0.1, "agreement": 0.99},
}

# A network is decided on an image if its two best probabilities differ by this at least.
MARGIN = 0.01


def check(trained):
    """Raises a `SettingError` unless the network has a classifier, and a label for each class."""
    network = trained.network
    layers = {layer.name: layer for layer in network.layers}
    head = layers.get("predictions")
    if "stage4_merging" not in layers or not isinstance(head, keras.layers.Dense):
        raise SettingError(
            f"argument RUN: must be a Pale Transformer with a classifier; {network.name} has no "
            "dense layer named predictions"
        )
    labels_of(trained)


def outputs(network):
    """The tensors `logits` and `probabilities`, `[N, classes]`."""
    predictions = network.get_layer("predictions")
    config = predictions.get_config() | {"activation": None, "name": "logits"}
    dense = keras.layers.Dense.from_config(config)
    logits = dense(predictions.input)
    dense.set_weights(predictions.get_weights())
    linear = predictions.activation is keras.activations.linear
    activation = keras.activations.softmax if linear else predictions.activation
    return {"logits": logits, "probabilities": activation(logits)}


def reference(network, images):
    """Arrays `logits` and `probabilities`, `[N, classes]`, and the pyramid."""
    predictions = network.get_layer("predictions")
    wanted = {"pooled": predictions.input, "probabilities": predictions.output}
    arrays = comparison.evaluate(network, wanted, images)
    kernel, bias = predictions.get_weights()
    arrays["logits"] = logits = arrays.pop("pooled").astype("float64") @ kernel + bias
    if predictions.activation is keras.activations.linear:
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        arrays["probabilities"] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return arrays


def compare(found, expected):
    """Compares logits and probabilities.

    Args:
        found: Dict of arrays, `logits` among them.
        expected: What `reference` returns, for the same images.

    Returns:
        Dict of `error`, the largest difference; `noise` and `agreement`, see `BOUNDS` (None if the
        network is decided on no image); and `decided`, the number of images on which it is.

    Raises:
        ProgramError: If the arrays are not those of such a network.
    """
    error = comparison.largest_error(found, expected, absolute=("logits", "probabilities"))
    difference = found["logits"] - expected["logits"]
    spread = expected["logits"].std(axis=1, keepdims=True)
    same = found["logits"].argmax(axis=1) == expected["logits"].argmax(axis=1)
    return {
        "error": error,
        "noise": float(np.sqrt(np.mean((difference / spread) ** 2))),
        **agreement(same, is_decided(expected)),
    }


def answer(encoded, run, size, trained):
    """The best classes by name and their scores, `[N, 5]`, best first."""
    labels, outputs = labels_of(trained), tasks.answer(encoded, run, size, trained)
    scores, indices = tf.math.top_k(outputs["probabilities"], min(TOP, len(labels)))
    return {"classes": tf.gather(tf.constant(labels), indices), "scores": scores}


def file_answer(image, run, size, trained):
    """Answers as `answer` does, in OpenVINO's operations. Clients need no OpenVINO: it is imported
    here."""
    from openvino import opset15 as ops

    from export.intermediate.files import evaluation_image, gather_texts

    labels = labels_of(trained)
    outputs = run(evaluation_image(image, size, crop_fraction_of(trained.recipe)))
    count = ops.constant(min(TOP, len(labels)))
    best = ops.topk(outputs["probabilities"], count, -1, "max", "value")
    return {"classes": gather_texts(labels, best.output(1)), "scores": best.output(0)}


def compare_answers(answers, expected, trained):
    """Compares the best classes and their scores with the network's.

    Args:
        answers: Dict of `classes` and `scores`, `[N, k]`.
        expected: What `reference` returns, for the same images.
        trained: The `Trained`.

    Returns:
        Dict of `error`, the largest difference of the score of any label that was given; and
        `agreement` and `decided`, as `compare` has them.
    """
    labels = np.char.encode(labels_of(trained))
    best = -np.sort(-expected["probabilities"], axis=1)
    errors = []
    rows = zip(expected["probabilities"], best, answers["classes"], answers["scores"], strict=True)
    for probabilities, highest, classes, scores in rows:
        errors += list(abs(scores - highest[: len(scores)]))
        for label, score in zip(classes, scores, strict=True):  # of a label that occurs twice, any
            errors.append(abs(probabilities[labels == label] - score).min(initial=1.0))
    decided = is_decided(expected)
    same = answers["classes"][:, 0] == labels[expected["probabilities"].argmax(axis=1)]
    return {"error": float(max(errors)), **agreement(same, decided)}


def is_decided(expected):
    """Whether the network is decided on an image, `[N]`: see `MARGIN`."""
    best = np.sort(expected["probabilities"], axis=1)[:, -2:]
    return best[:, 1] - best[:, 0] >= MARGIN


def agreement(same, decided):
    """`agreement` and `decided` of `compare`, from whether the best class of an image is the same,
    and from `is_decided`."""
    share = float(same[decided].mean()) if decided.any() else None
    return {"agreement": share, "decided": int(decided.sum())}


def lines(answer):
    """A class a line, with its score."""
    if not np.isfinite(answer["scores"]).all():
        raise ValueError("a score is not finite")
    pairs = zip(map(tf.compat.as_text, answer["classes"]), answer["scores"], strict=True)
    return [f"{score:7.2%}  {name}" for name, score in pairs]


def facts(trained):
    """The number of classes."""
    return {"classes": len(labels_of(trained))}


TASK = Task(
    check=check,
    outputs=outputs,
    reference=reference,
    compare=compare,
    bounds=BOUNDS,
    higher_is_better=("agreement",),
    formats={"error": ".1e", "noise": ".1e", "agreement": ".2%"},
    answer=answer,
    file_answer=file_answer,
    compare_answers=compare_answers,
    lines=lines,
    facts=facts,
    files=label_files,
    axis_files={"logits": LABELS, "probabilities": LABELS},
    page=label_page,
)
