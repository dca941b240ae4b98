"""Run lengths, against masks of pixels and pycocotools."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from training.data.run_lengths import (
    flips_of_instances,
    flips_of_runs,
    is_inside,
    runs_of,
)

HEIGHT, WIDTH = 23, 31
PIXELS = HEIGHT * WIDTH


def masks(seed, count=4):
    rng = np.random.default_rng(seed)
    found = rng.uniform(size=(count, HEIGHT, WIDTH)) < rng.uniform(0.01, 1, (count, 1, 1))
    return np.concatenate([found, np.ones((1, HEIGHT, WIDTH), bool)])


def runs_in(mask):
    """The runs of a mask, by a loop."""
    runs, inside = [0], False
    for pixel in mask.ravel(order="F"):
        if pixel != inside:
            runs, inside = [*runs, 0], pixel
        runs[-1] += 1
    return runs


def looked_up(flips, masks, filling=()):
    """Asks `is_inside` about all pixels: `[objects, H, W]`."""
    count, height, width = masks.shape
    flips = tf.concat([flips, tf.constant(filling, tf.int64)], axis=0)
    places = np.arange(height * width).reshape(width, height).T.ravel()
    found = is_inside(
        flips,
        tf.constant(height * width, tf.int64),
        tf.range(count),
        tf.constant(np.tile(places, (count, 1)), tf.int64),
    )
    return found.numpy().reshape(masks.shape)


def test_points_are_inside_where_the_mask_is():
    known = masks(0)
    runs = np.concatenate([runs_in(mask) for mask in known]).astype("int32")
    flips = flips_of_runs(tf.constant(runs), tf.constant(PIXELS, tf.int64))
    np.testing.assert_array_equal(looked_up(flips, known, [2**63 - 1] * 3), known)


@given(arrays("uint8", st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 4)))
def test_points_of_an_instance_mask(instances):
    flips = flips_of_instances(tf.constant(instances), 3)
    known = instances == np.arange(1, 4)[:, None, None]
    np.testing.assert_array_equal(looked_up(flips, known), known)


def test_runs_and_texts_are_those_of_coco():
    for mask in masks(2):
        encoded = coco.encode(np.asfortranarray(mask.astype("uint8")))
        for counts in (encoded["counts"].decode(), runs_in(mask)):
            found = runs_of({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH)
            np.testing.assert_array_equal(found, runs_in(mask))


def test_long_runs_are_read():
    mask = np.zeros((3000, 2000), bool)
    mask[5:2990, 700:1500] = True
    mask[:, 1999] = True
    encoded = coco.encode(np.asfortranarray(mask.astype("uint8")))
    segmentation = {"size": [3000, 2000], "counts": encoded["counts"].decode()}
    rle = {"size": [3000, 2000], "counts": runs_of(segmentation, 3000, 2000).tolist()}
    np.testing.assert_array_equal(coco.decode(coco.frPyObjects(rle, 3000, 2000)), mask)


def test_polygons_are_those_of_coco():
    polygons = [[3.2, 4.1, 20.5, 6.0, 11.0, 19.7], [22.0, 2.0, 30.0, 2.0, 30.0, 9.5, 22.0, 9.5]]
    expected = coco.decode(coco.frPyObjects(polygons, HEIGHT, WIDTH)).max(-1)
    found = runs_of([*polygons, [1, 2, 3, 4]], HEIGHT, WIDTH)
    np.testing.assert_array_equal(found, runs_in(expected))


def test_empty_runs_are_joined():
    counts = [0, 0, 3, 5, 0, 2, PIXELS - 10, 0, 0]
    found = runs_of({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH)
    np.testing.assert_array_equal(found, [3, 7, PIXELS - 10])


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([], "without a polygon"),
        ([[1, 2, 3, 4]], "without a polygon"),
        ([[1, 2, 3, 4, 5, float("nan")]], "neither polygons nor runs"),
        ([[1, 2, 3, 4, 5]], "neither polygons nor runs"),
        (None, "neither polygons nor runs"),
        ({"size": [31, 23], "counts": [713]}, "of another size than its image"),
        ({"size": [23, 31], "counts": [700]}, "do not add up"),
        ({"size": [23, 31], "counts": [714, -1]}, "do not add up"),
        ({"size": [23, 31], "counts": []}, "do not add up"),
        ({"size": [23, 31], "counts": [713]}, "without pixels"),
        ({"size": [23, 31], "counts": [713, 0]}, "without pixels"),
        ({"size": [23, 31], "counts": ""}, "no text of COCO"),
        ({"size": [23, 31], "counts": "é"}, "no text of COCO"),
        ({"size": [23, 31], "counts": "o"}, "no text of COCO"),
        ({"size": [23, 31], "counts": "oooooooo0"}, "no text of COCO"),
        ({"size": [23, 31], "counts": 3}, "neither integers nor text"),
    ],
)
def test_what_is_no_mask_is_refused(segmentation, message):
    with pytest.raises(ValueError, match=message):
        runs_of(segmentation, HEIGHT, WIDTH)
