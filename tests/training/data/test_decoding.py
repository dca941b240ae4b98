"""Decoding, cropping and scaling of single images."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from training.data.decoding import evaluation_image, evaluation_image_of, training_image
from training.recipe import load_recipe

RECIPE = dataclasses.replace(load_recipe("folder"), image_size=24)
DIGITS = load_recipe("digits")


def ramps(height, width):
    """An image whose red is the row and whose green is the column, in eighths of 255 at most."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype("uint8")


@pytest.mark.parametrize("shape", [(64, 64, 3), (50, 90, 3), (91, 37, 1), (1, 1, 1)])
@pytest.mark.parametrize("fraction", [1.0, 0.8])
def test_evaluation_image_keeps_the_centre_and_the_proportions(shape, fraction):
    """A ramp along each axis is still a ramp of the same slope, around the same middle."""
    height, width, channels = shape
    image = np.stack(np.indices((height, width)), axis=-1)[..., :channels].astype("float32")
    if channels == 3:
        image = np.concatenate([image, np.zeros((height, width, 1))], axis=-1)
    if channels == 1:
        image = image[..., :1]
    result = evaluation_image(image.astype("float32"), 16, fraction).numpy()
    assert result.shape == (16, 16, 3)
    scale = min(height, width) / 16 * fraction
    for axis in range(min(2, channels)):
        profile = result[..., axis].mean(1 - axis)
        assert profile.mean() == pytest.approx((shape[axis] - 1) / 2, abs=max(scale, 0.5))
        if scale > 1:
            np.testing.assert_allclose(np.diff(profile)[4:-4], scale, rtol=0.08)


def test_a_random_crop_of_a_jpeg_is_a_part_of_it():
    """Both channels are ramps: their ends tell which part, and their order whether mirrored."""
    image = np.repeat(np.repeat(ramps(25, 30), 8, axis=0), 8, axis=1) * 8  # JPEG blurs by blocks
    encoded = tf.io.encode_jpeg(image, quality=100, chroma_downsampling=False)
    crop = tf.function(lambda seed: training_image(encoded, seed, RECIPE))
    areas, ratios, mirrored = [], [], []
    for seed in range(200):
        result, readable = crop(tf.constant([seed, 1]))
        assert readable
        result = result.numpy()
        rows, columns = result[..., 0].mean(1), result[..., 1].mean(0)
        mirrored.append(columns[0] > columns[-1])
        height, width = rows[-1] - rows[0], abs(columns[-1] - columns[0])
        assert (np.diff(rows) > -2).all()
        areas.append(height * width / (200 * 240))
        ratios.append(width / height)
        again, _ = crop(tf.constant([seed, 1]))
        np.testing.assert_array_equal(again, result)
    assert RECIPE.crop_area * 0.75 < min(areas) < 0.45
    assert 0.8 < max(areas) <= 1.0
    assert 0.6 < min(ratios) < 0.85 < 1.2 < max(ratios) < 1.5
    assert 60 < sum(mirrored) < 140


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
@pytest.mark.parametrize("recipe", [RECIPE, DIGITS], ids=["crop", "no crop"])
def test_formats(encode, recipe):
    encoded = encode(ramps(30, 40))
    result, readable = training_image(encoded, tf.constant([0, 0]), recipe)
    assert readable
    assert result.shape == (recipe.image_size, recipe.image_size, 3)
    result, readable = evaluation_image_of(encoded, recipe)
    assert readable
    assert result.shape == (recipe.image_size, recipe.image_size, 3)


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
def test_without_guard_the_same_and_errors(encode):
    encoded = encode(ramps(60, 70)).numpy()
    for content in (encoded, encoded[:-20], b"text"):
        seed = tf.constant([5, 6])
        guarded = training_image(tf.constant(content), seed, RECIPE)
        unguarded = training_image(tf.constant(content), seed, RECIPE, guarded=False)
        np.testing.assert_array_equal(unguarded[0], guarded[0])
        assert unguarded[1] == guarded[1]
    with pytest.raises(tf.errors.InvalidArgumentError):
        training_image(tf.constant(b"\xff\xd8\xff\xd9"), tf.constant([5, 6]), RECIPE, guarded=False)


JPEG = tf.io.encode_jpeg(ramps(200, 200)).numpy()


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"text",
        JPEG[:-200],
        JPEG[:100],
        JPEG[:10],
        b"\xff\xd8\xff\xd9",
        JPEG[:50] + b"\xff\xd9",
    ],
)
def test_unreadable_images_are_black_and_said_to_be(encoded):
    """Also where the part that is cropped comes before the part that is missing."""
    for seed in range(20):
        image, readable = training_image(tf.constant(encoded), tf.constant([seed, 0]), RECIPE)
        assert not readable
        assert image.shape == (24, 24, 3)
        assert not image.numpy().any()
    assert not evaluation_image_of(tf.constant(encoded), RECIPE)[1]
