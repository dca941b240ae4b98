"""Images, boxes and masks stay together, whatever is done to them."""

import io
import types

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.training.coco_folder import bounds, photograph, size_of
from training.data.run_lengths import flips_of_instances, is_inside
from training.data.seeds import following
from training.detection.transforms import (
    fill_outside,
    make_transforms,
    place,
    random_crop,
)

SETTINGS = types.SimpleNamespace(short_sides=(30, 90), long_side=100, crop=False, flip=True)


def example(index):
    """An encoded image, and its objects as a source gives them."""
    image, masks = photograph(index)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    boxes = np.array([bounds(mask) for mask in masks], "float32")
    boxes[:, 2:] += boxes[:, :2]
    height, width = size_of(index)
    objects = {
        "boxes": tf.constant(boxes / [width, height, width, height], tf.float32),
        "labels": tf.constant([0, 1]),
        "crowds": tf.constant([False, False]),
        "areas": tf.constant(masks.sum(axis=(1, 2)), tf.float32),
        "size": tf.constant([height, width]),
        "flips": flips_of_instances((masks * [[[1]], [[2]]]).max(0), 2),
    }
    return tf.constant(file.getvalue()), objects


def masks_of(targets):
    """The masks of a transformed image, looked up pixel by pixel: bool `[n, H, W]`."""
    height, width = targets["size"].numpy()
    known_height, known_width = targets["mask_size"].numpy()
    a, b, c, d = targets["to_mask"].numpy()
    x = np.clip(np.floor(a * (np.arange(width) + 0.5) + b), 0, known_width - 1)
    y = np.clip(np.floor(c * (np.arange(height) + 0.5) + d), 0, known_height - 1)
    places = (x * known_height + y[:, None]).astype("int64").ravel()
    count = len(targets["labels"])
    inside = is_inside(
        targets["flips"],
        tf.constant(known_height * known_width, tf.int64),
        tf.range(count),
        tf.constant(np.tile(places, (count, 1))),
    )
    return inside.numpy().reshape(count, height, width)


def check(image, targets, cut=True):
    """That boxes are around the masks, and masks on the colors."""
    height, width = targets["size"].numpy()
    assert image.shape == (height, width, 3)
    masks = masks_of(targets)
    for mask, box, label in zip(masks, targets["boxes"].numpy(), targets["labels"], strict=True):
        if label < 0:
            assert mask.sum() <= 2 * (height + width)  # no more than the edge of a pixel
            continue
        if mask.sum() < 40:
            continue
        x, y, w, h = bounds(mask)
        scale = max(abs(1 / targets["to_mask"].numpy()[[0, 2]]))
        found, tolerance = np.array([x, y, x + w, y + h]), 0.51 + scale / 2
        assert (found[:2] >= box[:2] - tolerance).all()
        assert (found[2:] <= box[2:] + tolerance).all()
        if label == 1 or not cut:  # less of a disc may be left than the box has sides
            np.testing.assert_allclose(box, found, atol=tolerance)
        channel = 0 if label == 0 else 2
        others = image[..., 1]
        assert (image[..., channel] - others)[mask].mean() > 80


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=25, deadline=None)
def test_boxes_and_masks_follow_the_image(seed, crop):
    encoded, objects = example(seed % 7)
    given_settings = types.SimpleNamespace(**{**vars(SETTINGS), "crop": crop})
    transforms = make_transforms(given_settings)
    image, targets, readable = transforms.training(encoded, objects, tf.constant([seed, 5]), True)
    assert readable
    assert max(image.shape) <= 101
    check(image.numpy(), targets, cut=crop)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_parts_of_an_image(seed):
    rng = np.random.default_rng(seed)
    encoded, objects = example(seed % 7)
    high, wide = size_of(seed % 7)
    y, x = rng.integers(0, high - 12), rng.integers(0, wide - 12)
    height, width = rng.integers(12, high - y + 1), rng.integers(12, wide - x + 1)
    mirrored = bool(rng.integers(2))
    window = tf.constant([y, x, height, width], tf.int32)
    image, targets = place(
        tf.io.decode_png(encoded), objects, window, int(rng.integers(20, 80)), 200, mirrored
    )
    check(image.numpy(), targets)


def test_the_whole_image_is_as_it_is():
    encoded, objects = example(3)
    image, targets, readable = make_transforms(SETTINGS).whole(encoded, objects)
    assert readable
    np.testing.assert_array_equal(image, photograph(3)[0])
    np.testing.assert_array_equal(masks_of(targets), photograph(3)[1])
    np.testing.assert_allclose(targets["areas"], photograph(3)[1].sum(axis=(1, 2)))
    for box, mask in zip(targets["boxes"].numpy(), photograph(3)[1], strict=True):
        x, y, width, height = bounds(mask)
        np.testing.assert_allclose(box, [x, y, x + width, y + height], atol=1e-4)


def test_an_image_of_another_size_than_annotated_is_unreadable():
    encoded, objects = example(3)
    objects["size"] = objects["size"] + [0, 1]
    assert not make_transforms(SETTINGS).whole(encoded, objects)[2]
    objects["size"] = tf.constant([0, 0])  # nobody knows
    assert make_transforms(SETTINGS).whole(encoded, objects)[2]


@given(st.integers(0, 10**6), st.integers(1, 900), st.integers(1, 900))
@settings(max_examples=40, deadline=None)
def test_crops_lie_within_the_image(seed, height, width):
    y, x, h, w = random_crop(tf.constant([height, width]), tf.constant([seed, 1]), 1333).numpy()
    assert min(y, x) >= 0
    assert min(h, w) >= 1
    assert y + h <= height
    assert x + w <= width


def test_what_is_padded_has_the_mean_color():
    images = np.full((2, 4, 5, 3), 7.0, "float32")
    filled = fill_outside(tf.constant(images), tf.constant([[4, 5], [2, 3]])).numpy()
    assert (filled[0] == 7).all()
    assert (filled[1, :2, :3] == 7).all()
    np.testing.assert_allclose(
        filled[1, 2:, :], np.broadcast_to([123.675, 116.28, 103.53], (2, 5, 3))
    )


def test_seeds_do_not_meet():
    seed = tf.constant([3, 20])
    assert len({tuple(following(seed, step).numpy()) for step in range(7)}) == 7
