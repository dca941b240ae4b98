"""Targets of the mask head, against bitmaps."""

import math

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pale_tf.boxes_oracle import random_boxes
from tests.training.coco_folder import runs
from training.data.run_lengths import flips_of_runs
from training.detection.masks import SIDE, mask_targets

IDENTITY = (1.0, 0.0, 1.0, 0.0)


def bitmaps(seed, count, height, width):
    """Masks that overlap; one is empty, and one full."""
    rng = np.random.default_rng(seed)
    found = rng.uniform(size=(count, height, width)) < 0.5
    found[0], found[1] = False, True
    return found


def flips_of(masks, length=0):
    lengths = np.concatenate([runs(mask) for mask in masks]).astype("int32")
    flips = flips_of_runs(tf.constant(lengths), tf.constant(masks[0].size, tf.int64)).numpy()
    filling = np.full(max(length - len(flips), 0), np.iinfo("int64").max)
    return np.concatenate([flips, filling])


def oracle(mask, box, to_mask):
    """The pixels that the middles of cells fall in."""
    a, b, c, d = to_mask
    x1, y1, x2, y2 = (float(side) for side in box)
    height, width = mask.shape
    found = np.zeros((28, 28), bool)
    for row, column in np.ndindex(28, 28):
        x = math.floor(a * (x1 + (column + 0.5) * (x2 - x1) / 28) + b)
        y = math.floor(c * (y1 + (row + 0.5) * (y2 - y1) / 28) + d)
        found[row, column] = mask[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
    return found


def look_up(masks, rois, owners, to_mask):
    """`mask_targets` of one image."""
    found = mask_targets(
        tf.constant(rois[None], tf.float32),
        tf.constant(owners[None], tf.int32),
        tf.constant(flips_of(masks)[None]),
        tf.constant([masks[0].shape], tf.int32),
        tf.constant([to_mask], tf.float32),
    )
    return found.numpy()[0]


def test_equals_the_oracle_for_images_of_several_sizes():
    """As they are, mirrored, enlarged, reduced and cut; RoIs of no area and outside, too."""
    sizes = [(20, 30), (7, 5), (40, 9), (12, 12)]
    maps = [IDENTITY, (-0.31, 5.0, 0.27, 0.0), (2.1, 3.3, 1.7, 8.9), (-0.5, 11.0, 0.7, 2.0)]
    rng = np.random.default_rng(0)
    masks = [bitmaps(seed, 5, *size) for seed, size in enumerate(sizes)]
    longest = max(len(flips_of(some)) for some in masks) + 3
    rois = random_boxes(1, 4, 9, size=15.0).astype("float32")
    rois[:, 0], rois[:, 1] = [3, 3, 3, 3], [-50, -60, 70, 80]
    owners = rng.integers(0, 5, (4, 9)).astype("int32")
    found = mask_targets(
        tf.constant(rois),
        tf.constant(owners),
        tf.constant(np.stack([flips_of(some, longest) for some in masks])),
        tf.constant(sizes, tf.int32),
        tf.constant(maps, tf.float32),
    )
    assert (found.shape, found.dtype) == ((4, 9, SIDE, SIDE), "bool")
    for image, place in np.ndindex(4, 9):
        mask = masks[image][owners[image, place]]
        expected = oracle(mask, rois[image, place], maps[image])
        np.testing.assert_array_equal(found[image, place], expected)


def test_a_box_of_as_many_pixels_as_cells_gives_the_mask_itself():
    masks = bitmaps(2, 4, 40, 50)
    owners = np.array([3, 2, 0, 1])
    rois = np.array([[5, 7, 33, 35]] * 4)
    found = look_up(masks, rois, owners, IDENTITY)
    np.testing.assert_array_equal(found, masks[owners, 7:35, 5:33])


@given(
    st.integers(0, 10**6), st.booleans(), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5)
)
@settings(max_examples=30, deadline=None)
def test_masks_follow_an_image_that_is_cut_enlarged_and_mirrored(seed, mirrored, factor, x, y):
    """Looking up in the mask of the source is looking up in the mask of the result."""
    masks = bitmaps(seed, 3, 12, 15)
    result = masks[:, y:, x:].repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = result.shape[1:]
    to_mask = (1 / factor, x, 1 / factor, y)
    if mirrored:
        result = result[:, :, ::-1]
        to_mask = (-1 / factor, width / factor + x, 1 / factor, y)
    rng = np.random.default_rng(seed)
    # Sides of odd numbers of 1/16 pixels: no middle of a cell lies upon an edge between pixels.
    begin = rng.integers(0, 8 * np.array([width, height]), (6, 2)) / 16
    sides = (2 * rng.integers(0, 4 * np.array([width, height]), (6, 2)) + 1) / 16
    rois = np.concatenate([begin, begin + sides], -1)
    owners = rng.integers(0, 3, 6)
    np.testing.assert_array_equal(
        look_up(masks, rois, owners, to_mask), look_up(result, rois, owners, IDENTITY)
    )
