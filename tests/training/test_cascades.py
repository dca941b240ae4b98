"""Accuracy and cost of a cascade, against counting image by image."""

import numpy as np
import pytest

from training.cascades import _point, print_cascade

CONFIDENCES = np.array([[0.9, 0.4, 0.6], [0.5, 0.7, 0.6], [0.2, 0.3, 0.4]])
RIGHT = np.array([[True, True, False], [True, False, True], [False, False, True]])
GMACS = np.array([1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("threshold", "stops"), [(0.65, (0, 1, 2)), (0.0, (0, 0, 0)), (1.01, (2, 2, 2))]
)
def test_an_image_costs_all_sizes_that_it_is_seen_at(threshold, stops):
    point = _point(CONFIDENCES, RIGHT, GMACS, threshold)
    costs = [sum(GMACS[: stop + 1]) for stop in stops]
    found = [RIGHT[stop, image] for image, stop in enumerate(stops)]
    assert point == {
        "threshold": threshold,
        "gmacs": pytest.approx(np.mean(costs)),
        "accuracy": pytest.approx(np.mean(found)),
        "shares": pytest.approx([stops.count(stage) / 3 for stage in range(3)]),
    }


def test_the_table_has_sizes_and_thresholds(capsys):
    sizes = [{"size": size, "gmacs": size / 100, "accuracy": 0.5} for size in (112, 224)]
    curve = [
        {"threshold": 0.98, "gmacs": 0.0155, "accuracy": 0.75, "shares": [0.25, 0.75]},
        {"threshold": 1.01, "gmacs": 3.36, "accuracy": 0.8, "shares": [0, 1]},
    ]
    print_cascade({"images": 8, "sizes": sizes, "curve": curve})
    printed = capsys.readouterr().out
    for text in (
        "112 alone",
        "1.12",
        "until 0.98",
        "0.0155",
        "0.7500",
        "25%",
        "75%",
        "at 224",
        "all sizes",
    ):
        assert text in printed
