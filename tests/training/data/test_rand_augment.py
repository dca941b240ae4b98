"""RandAugment's operations, against Pillow's."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from training.data import rand_augment


def photo():
    """A smooth image with some noise, as whole numbers."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), "uint8")).resize((56, 40), 2)
    return np.clip(np.asarray(coarse) * 0.7 + 30 + rng.integers(-9, 9, (40, 56, 3)), 0, 255).astype(
        "uint8"
    )


@pytest.mark.parametrize(
    ("operation", "expected", "tolerance"),
    [
        (rand_augment.auto_contrast, ImageOps.autocontrast, 1.01),
        (rand_augment.invert, ImageOps.invert, 0),
        (rand_augment.posterize, lambda image: ImageOps.posterize(image, 2), 0),
        (rand_augment.solarize, lambda image: ImageOps.solarize(image, 128), 0),
        # Pillow rounds the gray, and then the result down.
        (rand_augment.color, lambda image: ImageEnhance.Color(image).enhance(0.55), 1.23),
        (rand_augment.contrast, lambda image: ImageEnhance.Contrast(image).enhance(0.55), 1.01),
        (rand_augment.brightness, lambda image: ImageEnhance.Brightness(image).enhance(0.55), 1.01),
        (
            rand_augment.rotate,
            lambda image: image.rotate(-15, Image.Resampling.NEAREST, fillcolor=(116,) * 3),
            0,
        ),
        (
            rand_augment.shear_x,
            lambda image: image.transform(
                image.size, Image.Transform.AFFINE, (1, -0.15, 3, 0, 1, 0), fillcolor=(116,) * 3
            ),
            0,
        ),
        (
            rand_augment.translate_y,
            lambda image: image.transform(
                image.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -9), fillcolor=(116,) * 3
            ),
            0,
        ),
    ],
)
def test_operations_are_pillows(operation, expected, tolerance):
    """At half of the range, with a negative sign."""
    image = photo()
    result = operation(tf.constant(image, tf.float32), tf.constant(0.5), tf.constant(-0.5)).numpy()
    reference = np.asarray(expected(Image.fromarray(image))).astype("float32")
    # Where the nearest pixel is a matter of rounding, another one may be taken.
    difference = np.abs(result - reference)
    assert np.quantile(difference, 0.96) <= tolerance
    assert np.abs(reference - image).mean() > 3  # it does something


def test_equalize_is_pillows():
    """On many pixels: Pillow rounds the number of pixels for a step of brightness down."""
    image = np.tile(photo(), (8, 8, 1))
    result = rand_augment.equalize(tf.constant(image, tf.float32), 0.0, 0.0).numpy()
    reference = np.asarray(ImageOps.equalize(Image.fromarray(image)))
    np.testing.assert_allclose(result, reference, atol=2)
    flat = tf.fill((4, 4, 3), 77.0)
    np.testing.assert_array_equal(rand_augment.equalize(flat, 0.0, 0.0), flat)


def test_sharpness_is_pillows_inside():
    image = photo()
    result = rand_augment.sharpness(tf.constant(image, tf.float32), 0.5, tf.constant(-0.5)).numpy()
    reference = np.asarray(ImageEnhance.Sharpness(Image.fromarray(image)).enhance(0.55))
    np.testing.assert_allclose(result[2:-2, 2:-2], reference[2:-2, 2:-2], atol=2)


def test_translate_and_shear_move_along_their_own_axis():
    rows, columns = np.indices((40, 56)).astype("float32")
    image = tf.constant(np.stack([rows, columns, rows], -1))
    shifted = rand_augment.translate_x(image, 0.0, tf.constant(0.5)).numpy()
    np.testing.assert_allclose(shifted[:, :40, 1], columns[:, :40] + round(56 * 0.45 / 2))
    sheared = rand_augment.shear_y(image, 0.0, tf.constant(0.5)).numpy()
    middle = np.s_[5:35]
    expected = (rows + 0.15 * (columns - 27.5))[middle]
    np.testing.assert_allclose(sheared[middle][..., 0], expected, atol=0.501)


def test_rand_augment_draws_every_operation_and_keeps_the_range():
    image = tf.constant(photo(), tf.float32)
    augment = tf.function(lambda draws: rand_augment.rand_augment(image, draws, 9))
    rng = np.random.default_rng(0)
    unchanged = 0
    for _ in range(60):
        draws = rng.uniform(size=rand_augment.DRAWS).astype("float32")
        result = augment(draws).numpy()
        assert -1e-3 <= result.min() <= result.max() <= 255.001
        unchanged += (result == photo()).all()
    assert 5 <= unchanged <= 26  # a quarter, and what does nothing to this image
    for index, operation in enumerate(rand_augment.OPERATIONS):  # one alone, at its mean level
        draws = np.array([0, (index + 0.5) / 15, 0.7, 0.5, 0.9, 0, 0, 0], "float32")
        expected = operation(image, tf.constant(0.9), tf.constant(0.9)).numpy()
        np.testing.assert_allclose(augment(draws), expected, atol=1e-3)
