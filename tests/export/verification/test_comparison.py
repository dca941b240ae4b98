"""Figures and bounds, on outputs made by hand."""

import numpy as np
import pytest

from common.errors import ProgramError
from export.tasks import Task
from export.verification.comparison import compare, evaluate, largest_error, missed_bounds
from pale_tf import PaleN


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def expected():
    masks, level = np.split(rng().normal(size=(8, 8)), [5], axis=1)
    return {"masks": masks, "P2": level}


def test_errors_count_in_parts_of_the_largest_number(expected):
    largest = abs(expected["P2"]).max()
    found = {"P2": expected["P2"] + 0.001 * largest, "masks": expected["masks"]}
    assert largest_error(found, expected) == pytest.approx(0.001)
    assert largest_error(found, expected, absolute=("P2",)) == pytest.approx(0.001 * largest)
    found["P2"][0, 0] = np.nan
    assert np.isnan(largest_error(found, expected))


def test_noise_counts_in_deviations(expected):
    deviation = expected["masks"].std()
    figures = compare({"masks": expected["masks"] - 0.02 * deviation}, expected)
    assert figures["noise"] == pytest.approx(0.02)


def test_outputs_that_are_all_equal_have_figures():
    zeros = np.zeros((2, 3))
    assert compare({"a": zeros}, {"a": zeros}) == {"error": 0.0, "noise": 0.0}
    assert compare({"a": zeros + 0.1}, {"a": zeros})["error"] > 1


@pytest.mark.parametrize("outputs", [{"masks": np.zeros((8, 4))}, {"boxes": np.zeros((8, 5))}])
def test_outputs_of_something_else_are_an_error(expected, outputs):
    with pytest.raises(ProgramError, match="the network in RUN has no output like"):
        compare(outputs, expected)


def test_values_of_tensors_and_of_the_pyramid():
    network = PaleN(input_shape=(32, 32, 3), classes=3)
    images = rng().uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    values = evaluate(network, {"scores": network.output}, images)
    assert set(values) == {"scores", "P2", "P3", "P4", "P5"}
    np.testing.assert_allclose(values["scores"], network(images), atol=1e-6)
    assert [values[f"P{level}"].shape[1] for level in (2, 3, 4, 5)] == [8, 4, 2, 1]


def test_bounds():
    task = Task(bounds={"int8": {"noise": 0.1, "iou": 0.9}}, higher_is_better=("iou",))
    assert missed_bounds({"noise": 0.1, "iou": 0.9}, task, "int8") == []
    assert missed_bounds({"noise": 0.0}, task, "int8") == []  # of another signature
    assert missed_bounds({"noise": float("nan")}, task, "int8") != []
    (missed,) = missed_bounds({"noise": 0.2, "iou": None}, task, "int8")
    assert missed == "noise is 0.2, the bound of int8 is 0.1"
    (missed,) = missed_bounds({"noise": 0.0, "iou": 0.89}, task, "int8")
    assert missed.startswith("iou is 0.89")
