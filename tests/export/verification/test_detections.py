"""Matching of detections, against a loop over all that is left; and the figures of a comparison."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.verification.detections import NEAR, OVERLAP, compare, overlaps, pairs


def overlap(box, other):
    """Intersection over union of two boxes that are half a pixel larger on each side."""
    (x1, y1, x2, y2), (a1, b1, a2, b2) = box, other
    width = min(x2, a2) + 0.5 - (max(x1, a1) - 0.5)
    height = min(y2, b2) + 0.5 - (max(y1, b1) - 0.5)
    if width <= 0 or height <= 0:
        return 0.0
    areas = (x2 - x1 + 1) * (y2 - y1 + 1) + (a2 - a1 + 1) * (b2 - b1 + 1)
    return width * height / (areas - width * height)


def best_pairs(found, expected):
    """All pairs are looked at for the next best one, again and again."""
    rows, columns = set(range(len(found["boxes"]))), set(range(len(expected["boxes"])))
    chosen = []
    while True:
        best, pair = OVERLAP, None
        for row in sorted(rows):
            for column in sorted(columns):
                if found["classes"][row] != expected["classes"][column]:
                    continue
                value = overlap(found["boxes"][row], expected["boxes"][column])
                if value > best or (value == best and pair is None):
                    best, pair = value, (row, column)
        if pair is None:
            return chosen
        chosen.append(pair)
        rows.remove(pair[0])
        columns.remove(pair[1])


def some(rng, count):
    """Detections of an image, sure ones first, many of them close together."""
    low = rng.integers(0, 12, (count, 2)).astype("float32")
    return {
        "boxes": np.concatenate([low, low + rng.integers(0, 12, (count, 2))], 1).astype("float32"),
        "classes": rng.integers(0, 2, count).astype("int32"),
        "scores": np.sort(rng.uniform(0.1, 1, count))[::-1].astype("float32"),
        "masks": rng.uniform(0, 1, (count, 4, 4)).astype("float32"),
    }


@given(st.integers(0, 10**6), st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_pairs_are_the_best_of_all_that_are_left(seed, count, other_count):
    rng = np.random.default_rng(seed)
    found, expected = some(rng, count), some(rng, other_count)
    table = overlaps(found["boxes"], expected["boxes"])
    for place in np.ndindex(table.shape):
        own = overlap(found["boxes"][place[0]], expected["boxes"][place[1]])
        assert table[place] == pytest.approx(own)
    assert pairs(found, expected).tolist() == list(map(list, best_pairs(found, expected)))


def batch(*images, size=8):
    """Arrays of several images as a detector gives them."""
    arrays = {"count": np.array([len(image["scores"]) for image in images], "int32")}
    for name in images[0]:
        rows = [image[name] for image in images]
        widths = [((0, size - len(row)), *[(0, 0)] * (row.ndim - 1)) for row in rows]
        arrays[name] = np.stack(list(map(np.pad, rows, widths)))
    return arrays


def apart(rng, count):
    """Detections that do not overlap."""
    image = some(rng, count)
    low = 50.0 * np.arange(count)[:, None] + np.zeros((1, 2))
    image["boxes"] = np.concatenate([low, low + 20], 1).astype("float32")
    return image


LOWEST = np.array([0.05, 0.05])


def test_the_order_and_what_is_behind_the_count_make_no_difference():
    rng = np.random.default_rng(0)
    one, other = apart(rng, 5), apart(rng, 3)
    turned = {name: value[::-1] for name, value in one.items()}
    found, expected = batch(turned, other), batch(one, other)
    found["boxes"][1, 3:] = 7.0
    figures = compare(found, expected, LOWEST)
    assert figures == {"objects": 8, "matched": 1.0, "box": 0.0, "score": 0.0, "mask": 0.0}


def test_the_largest_differences():
    rng = np.random.default_rng(0)
    expected = batch(apart(rng, 5), apart(rng, 3))
    found = {name: value.copy() for name, value in expected.items()}
    found["boxes"][1, 2, 3] += 0.25
    found["scores"][0, 4] -= 0.125
    found["masks"][0, 1, 2, 3] += 0.5
    figures = compare(found, expected, LOWEST)
    assert figures["matched"] == 1.0
    assert figures["box"] == 0.25
    assert figures["score"] == pytest.approx(0.125)
    assert figures["mask"] == pytest.approx(0.5)
    del found["masks"]
    assert set(compare(found, expected, LOWEST)) == {"objects", "matched", "box", "score"}


def test_what_is_at_another_place_or_of_another_class_has_no_partner():
    rng = np.random.default_rng(0)
    expected = batch(apart(rng, 5), apart(rng, 3))
    found = {name: value.copy() for name, value in expected.items()}
    found["classes"][0, 0] = 5
    found["boxes"][0, 1] += 30
    found["count"][1] = 2
    figures = compare(found, expected, LOWEST)
    assert figures["matched"] == 10 / (8 + 7)
    assert figures["box"] == 0.0


@pytest.mark.parametrize(("above", "matched"), [(0.5 * NEAR, 1.0), (2 * NEAR, 14 / 15)])
def test_what_hardly_exceeds_the_lowest_score_may_be_missing(above, matched):
    rng = np.random.default_rng(0)
    expected = batch(apart(rng, 5), apart(rng, 3))
    expected["scores"][1, 2] = LOWEST[1] + above
    found = {name: value.copy() for name, value in expected.items()}
    found["count"][1] = 2
    assert compare(found, expected, LOWEST)["matched"] == matched
    assert compare(expected, found, LOWEST)["matched"] == matched


def test_numbers_that_are_none_are_no_agreement():
    rng = np.random.default_rng(0)
    expected = batch(apart(rng, 5), apart(rng, 3))
    for name, figure in (("boxes", "matched"), ("scores", "score"), ("masks", "mask")):
        found = {key: value.copy() for key, value in expected.items()}
        found[name][0, 0] = np.nan
        value = compare(found, expected, LOWEST)[figure]
        assert value < 1.0 if figure == "matched" else np.isnan(value)


def test_without_objects_nothing_is_compared():
    none = batch(some(np.random.default_rng(0), 0), some(np.random.default_rng(0), 0))
    assert compare(none, none, LOWEST) == {
        "objects": 0,
        "matched": None,
        "box": None,
        "score": None,
        "mask": None,
    }
    one = batch(apart(np.random.default_rng(0), 1), some(np.random.default_rng(0), 0))
    assert compare(one, none, LOWEST)["matched"] == 0.0
