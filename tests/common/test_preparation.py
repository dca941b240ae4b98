"""Preparation of images for evaluation, against images made by hand."""

import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from common.orientation import turn
from common.preparation import (
    crop_fraction_of,
    evaluation_image,
    fitted_image,
    fitted_size,
    scaled_image,
    scaled_sides_of,
    scaled_size,
    short_side_of,
    whole_image,
    whole_size,
)


def test_an_image_of_the_size_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(evaluation_image(image, 8), image)


def test_the_center_is_cropped():
    image = np.zeros((6, 10, 3), "float32")
    image[:, 2:8] = np.random.default_rng(0).uniform(0, 255, (6, 6, 3))
    np.testing.assert_allclose(evaluation_image(image, 6), image[:, 2:8], atol=1e-4)
    inner = evaluation_image(image, 3, crop_fraction=0.5)  # the short side stays at 6
    np.testing.assert_allclose(inner, image[1:4, 3:6], atol=1e-4)


def test_the_short_side_is_scaled():
    image = tf.tile(tf.reshape(tf.range(8, dtype=tf.float32), (1, 8, 1)), (4, 1, 1))
    found = evaluation_image(image, 2)
    assert found.shape == (2, 2, 3)  # gray becomes color
    # Half of the size: each column averages its neighbors, and a ramp stays a ramp of twice the
    # step; the center of 0..7 is 3.5.
    np.testing.assert_allclose(found[0, :, 0], [2.5, 4.5], atol=1e-4)


def test_the_whole_image_where_the_recipe_does_not_say():
    assert crop_fraction_of({"settings": {}}) == 1.0
    assert crop_fraction_of({"settings": {"crop_fraction": 0.875}}) == 0.875


def resized_and_cropped(image, size, fraction):
    """The definition, step by step: the whole image is scaled, and the center cropped."""
    short, sides = round(size / fraction), np.array(image.shape[:2])
    scaled = np.maximum(np.round(sides * (short / sides.min())), short).astype(int)
    whole = tf.image.resize(image, scaled, antialias=True)
    crop = tf.image.resize_with_crop_or_pad(whole, size, size)
    return np.broadcast_to(crop, (size, size, 3))


@pytest.mark.parametrize("shape", [(8, 8, 1), (64, 64, 3), (50, 91, 3), (91, 37, 1), (3, 400, 3)])
@pytest.mark.parametrize("fraction", [1.0, 0.875])
def test_is_scaling_and_a_central_crop(shape, fraction):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = tf.function(evaluation_image)(tf.constant(image), 32, fraction)
    expected = resized_and_cropped(image, 32, fraction)
    if shape[0] == shape[1] and fraction == 1:
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(40, 61, 3), (33, 20, 3)])
def test_turning_the_result_is_turning_the_image(orientation, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = evaluation_image(image, 16, 0.9, orientation)
    expected = evaluation_image(turn(tf.constant(image), orientation), 16, 0.9)
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("shape", [(1, 2**22, 1), (2**22, 1, 1)])
def test_a_thin_image_takes_little_memory(shape):
    """Scaled as a whole, it would have 250 billion pixels."""
    found = evaluation_image(tf.fill(shape, tf.constant(7, tf.uint8)), 224)
    np.testing.assert_allclose(found, np.full((224, 224, 3), 7), atol=1e-5)


@pytest.mark.parametrize("fraction", [0, -1, 1.5, "all", None, float("nan")])
def test_a_part_that_is_none_is_refused(fraction):
    with pytest.raises(SettingError, match="`crop_fraction` must be a number above 0, at most 1"):
        crop_fraction_of({"settings": {"crop_fraction": fraction}})


@pytest.mark.parametrize("shape", [(1, 900, 3), (37, 5, 1), (1, 1, 3)])
def test_any_shape_becomes_square(shape):
    image = np.random.default_rng(0).uniform(0, 255, shape)
    found = evaluation_image(image, 16).numpy()
    assert found.shape == (16, 16, 3)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 255


@pytest.mark.parametrize("shape", [(64, 64, 3), (50, 90, 3), (91, 37, 1), (1, 1, 1)])
@pytest.mark.parametrize("fraction", [1.0, 0.8])
def test_keeps_the_center_and_the_proportions(shape, fraction):
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


@pytest.mark.parametrize(
    ("sides", "short", "expected"),
    [
        ((97, 161), None, (97, 161)),
        ((1024, 1024), None, (1024, 1024)),
        ((2048, 2048), None, (1024, 1024)),
        ((8192, 2048), None, (2048, 512)),
        ((300, 200), 512, (768, 512)),
        ((1000, 1500), 512, (512, 768)),
        ((1000, 4000), 1024, (512, 2048)),  # not 1024 × 4096
        ((1, 2**26), None, (1, 2**12)),
        ((65500, 3), None, (2**12, 3)),
        ((1, 1), 7, (7, 7)),
    ],
)
def test_whole_images_keep_their_sides_up_to_a_number_of_pixels(sides, short, expected):
    assert tuple(whole_size(sides, short, most=2**20).numpy()) == expected


@pytest.mark.parametrize(
    ("sides", "short", "scale", "expected"),
    [
        ((2048, 2048), None, 1.0, (2048, 2048)),
        ((97, 161), None, 0.5, (48, 80)),  # halves to the even number
        ((300, 200), 512, 0.75, (576, 384)),
        ((100, 1000), 512, 1.0, (205, 2048)),  # not 512 × 5120
        ((3, 500), None, 0.1, (1, 50)),
    ],
)
def test_whole_images_are_scaled_by_a_factor_and_bounded_in_length(sides, short, scale, expected):
    assert tuple(whole_size(sides, short, scale).numpy()) == expected


def test_a_whole_image_is_scaled_with_antialiasing_and_turned():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(whole_image(image), image)
    expected = tf.image.resize(image, (20, 30), antialias=True)
    np.testing.assert_allclose(whole_image(image, 20), expected, atol=1e-4)
    np.testing.assert_allclose(whole_image(image, 20, 6), np.rot90(expected, -1), atol=1e-4)
    assert whole_image(image[..., :1]).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((480, 640), (800, 1067)),
        ((640, 480), (1067, 800)),
        ((100, 400), (333, 1333)),
        ((1, 4000), (1, 1333)),
        ((1, 1), (800, 800)),
    ],
)
def test_sizes_for_detectors_are_those_of_mmdetection(sides, expected):
    assert tuple(scaled_size(tf.constant(sides), 800, 1333).numpy()) == expected
    assert tuple(scaled_size(tf.constant(sides), None, None).numpy()) == sides


def test_a_scaled_image_is_scaled_with_antialiasing_and_turned():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    expected = tf.image.resize(image, (20, 30), antialias=True)
    np.testing.assert_allclose(scaled_image(image, 20, 90), expected, atol=1e-4)
    turned = scaled_image(image, 99, 30, 6)
    np.testing.assert_allclose(turned, np.rot90(expected, -1), atol=1e-4)


def test_a_fitted_image_is_whole_and_the_rest_is_the_mean():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert tuple(fitted_size((40, 60), 30).numpy()) == (20, 30)
    assert tuple(fitted_size((1, 1000), 30).numpy()) == (1, 30)
    expected = np.empty((30, 30, 3))
    expected[:] = (123.675, 116.28, 103.53)
    expected[:20] = tf.image.resize(image, (20, 30), antialias=True)
    np.testing.assert_allclose(fitted_image(image, 30), expected, atol=1e-4)
    upright = np.full((30, 30, 3), (123.675, 116.28, 103.53))
    upright[:, :20] = np.rot90(expected[:20], -1)
    np.testing.assert_allclose(fitted_image(image, 30, 6), upright, atol=1e-4)


def test_the_short_side_of_a_recipe():
    assert short_side_of({"settings": {}}) is None
    assert short_side_of({"settings": {"short_side": 512}}) == 512
    for wrong in (0, -1, 1.5, "512", True):
        with pytest.raises(SettingError, match="`short_side` must be a number of pixels"):
            short_side_of({"settings": {"short_side": wrong}})


def test_the_sides_of_a_recipe():
    assert scaled_sides_of({"settings": {}}) == (800, 1333)
    assert scaled_sides_of({"settings": {"short_sides": [480, 800]}}) == (800, 1333)
    assert scaled_sides_of({"settings": {"short_sides": [96, 96], "long_side": 96}}) == (96, 96)
    wrong = [{"short_sides": value} for value in (800, [800], "ab", [1, "2"], [1, 0], [1, True])]
    wrong += [{"long_side": value} for value in (799, None, 1e4, "1333")]
    for settings in wrong:
        with pytest.raises(SettingError, match="the run's `short_sides` must"):
            scaled_sides_of({"settings": settings})
