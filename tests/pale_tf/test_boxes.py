"""Boxes, against loops in float64."""

import numpy as np

from pale_tf import boxes
from tests.pale_tf import boxes_oracle as oracle
from tests.pale_tf.boxes_oracle import DEVIATIONS, random_boxes, some_boxes


def test_areas():
    some = some_boxes(8)
    expected = [oracle.area(box) for box in some.astype("float64")]
    np.testing.assert_allclose(boxes.areas(some), expected, rtol=1e-5, atol=1e-3)


def test_overlaps():
    a, b = some_boxes(0), some_boxes(1, 7)
    expected = [[oracle.overlap(x, y) for y in b.astype("float64")] for x in a.astype("float64")]
    np.testing.assert_allclose(boxes.intersection_over_union(a, b), expected, atol=1e-6)


def test_overlaps_of_one_box_with_itself():
    """1 exactly, whatever its size, unless it has no area: ties and duplicates rely on it."""
    some = np.concatenate([some_boxes(9), [[0, 0, 1e-3, 1e-3], [1e4, 1e4, 2e4, 3e4]]])
    found = np.diagonal(boxes.intersection_over_union(some, some))
    np.testing.assert_array_equal(found, [float(oracle.area(box) > 0) for box in some])


def test_differences():
    a, b = some_boxes(2), some_boxes(3)
    found = np.asarray(boxes.encode(a, b, DEVIATIONS))
    expected = [oracle.encode(*pair, DEVIATIONS) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_boxes_of_differences():
    given = some_boxes(4)
    differences = np.random.default_rng(5).normal(0, 8, given.shape).astype("float32")
    found = np.asarray(boxes.decode(differences, given, DEVIATIONS))
    expected = [
        oracle.decode(*pair, DEVIATIONS)
        for pair in zip(differences.astype("float64"), given.astype("float64"), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_differences_and_back():
    a, b = random_boxes(4, 50).astype("float32"), random_boxes(5, 50).astype("float32")
    near = a + np.random.default_rng(6).uniform(0, 3, (50, 4)).astype("float32") * [0, 0, 1, 1]
    for other in (near, b):
        back = boxes.decode(boxes.encode(other, a, DEVIATIONS), a, DEVIATIONS)
        grown = (other[:, 2:] - other[:, :2]) / (a[:, 2:] - a[:, :2])
        bounded = (abs(np.log(grown)) < np.log(1000 / 16)).all(1)
        assert bounded.sum() > 40
        np.testing.assert_allclose(back[bounded], other[bounded], atol=1e-3)


def test_growth_is_bounded():
    grown = np.asarray(boxes.decode([[0.0, 0, 99, -99]], [[10.0, 10, 14, 14]]))[0]
    np.testing.assert_allclose(grown[2] - grown[0], 4 * 62.5, rtol=1e-5)
    np.testing.assert_allclose(grown[3] - grown[1], 4 / 62.5, rtol=1e-4)


def test_boxes_stay_in_the_image():
    some = some_boxes(7)
    found = np.asarray(boxes.clip(some, 50, 80))
    np.testing.assert_array_equal(found, [oracle.clip(box, 50, 80) for box in some])
    both = np.stack([some, some])
    found = np.asarray(boxes.clip(both, np.array([[50], [30]]), np.array([[80], [20]])))
    np.testing.assert_array_equal(found[1], [oracle.clip(box, 30, 20) for box in some])
