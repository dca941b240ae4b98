"""Figures and bounds, on outputs made by hand."""

import pathlib

import numpy as np
import pytest

from common.errors import ProgramError
from common.trained import Trained
from export.verification.comparison import compare, compare_bytes, missed_bounds, reference
from pale_tf import PaleN

RNG = np.random.default_rng(0)


def softmax(logits):
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture
def expected():
    logits = RNG.normal(size=(8, 5))
    logits[0] = 0.0  # undecided
    return {"logits": logits, "probabilities": softmax(logits), "P2": RNG.normal(size=(8, 3))}


def test_figures(expected):
    logits = expected["logits"] + 0.02
    figures = compare({"logits": logits, "probabilities": expected["probabilities"]}, expected)
    assert figures["error"] == pytest.approx(0.02)
    assert (figures["agreement"], figures["decided"]) == (1.0, 7)
    worse = logits.copy()
    worse[1] = -worse[1]  # another best class
    assert compare({"logits": worse}, expected)["agreement"] == pytest.approx(6 / 7)


def test_features_count_in_parts_of_the_largest(expected):
    largest = abs(expected["P2"]).max()
    figures = compare({"P2": expected["P2"] + 0.001 * largest}, expected)
    assert figures == {"error": pytest.approx(0.001)}


@pytest.mark.parametrize("outputs", [{"logits": np.zeros((8, 4))}, {"boxes": np.zeros((8, 5))}])
def test_outputs_of_something_else_are_an_error(expected, outputs):
    with pytest.raises(ProgramError, match="is not an output of the network"):
        compare(outputs, expected)


def test_bounds():
    assert missed_bounds({"error": 9e-5}, "float32") == []
    assert missed_bounds({"error": float("nan")}, "float32") != []
    (missed,) = missed_bounds({"noise": 0.2, "agreement": None}, "int8")
    assert missed == "noise is 0.2, the bound of int8 is 0.1"
    (missed,) = missed_bounds({"noise": 0.0, "agreement": 0.98}, "int8")
    assert missed.startswith("agreement is 0.98")


def test_labels_and_scores_of_bytes_are_those_of_the_network():
    network = PaleN(input_shape=(32, 32, 3), classes=3)
    trained = Trained(network, ["ant", "crane", "crane"], 1.0, pathlib.Path("model.keras"))
    images = np.round(RNG.uniform(0, 255, (2, 32, 32, 3))).astype("float32")
    probabilities = reference(network, images)["probabilities"]
    order = np.argsort(-probabilities, axis=1)
    scores = np.take_along_axis(probabilities, order, axis=1)
    classes = np.char.encode(trained.labels)[order]
    assert compare_bytes({"classes": classes, "scores": scores}, trained, images)["error"] < 1e-6
    wrong = np.where(classes == b"ant", b"crane", b"ant")
    assert compare_bytes({"classes": wrong, "scores": scores}, trained, images)["error"] > 1e-3
