"""Random crops, mirror images and movements."""

import numpy as np
import pytest
import tensorflow as tf

from tests.training.pixels import ramps
from training.data.geometry import (
    Placement,
    central_placement,
    fill_outside,
    place_image,
    place_mask,
    random_affine,
    random_mirror,
    random_placement,
    random_window,
)
from training.data.masks import IGNORED

SEED = tf.constant([3, 4])


def test_windows_lie_inside_and_have_areas_and_ratios_as_asked():
    draw = tf.function(lambda seed: random_window(tf.constant([200, 240, 3]), seed, 0.35))
    windows = np.array([draw(tf.constant([seed, 1])) for seed in range(300)])
    y, x, height, width = windows.T
    assert windows.min() >= 0
    assert (y + height).max() <= 200
    assert (x + width).max() <= 240
    areas, ratios = height * width / (200 * 240), width / height
    # Sizes are whole pixels: a window of 130 × 130 may be off by 1% of its area.
    assert 0.34 < areas.min() < 0.45
    assert 0.9 < areas.max() <= 1.0
    assert 0.74 < ratios.min() < 0.8
    assert 1.25 < ratios.max() < 1.35
    assert len({tuple(window) for window in windows.tolist()}) > 290


def test_a_window_is_a_function_of_its_seed():
    shape = tf.constant([50, 60, 3])
    one, again, other = (
        random_window(shape, tf.constant([seed, 1]), 0.1).numpy().tolist() for seed in (4, 4, 5)
    )
    assert one == again != other


def test_half_of_the_images_are_mirrored():
    image = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype("float32")
    mirror = tf.function(lambda seed: random_mirror(tf.constant(image), seed))
    results = [mirror(tf.constant([seed, 1])).numpy() for seed in range(200)]
    mirrored = [np.array_equal(result, image[:, ::-1]) for result in results]
    assert all(
        flipped or np.array_equal(result, image)
        for flipped, result in zip(mirrored, results, strict=True)
    )
    assert 60 < sum(mirrored) < 140


def images(count=6):
    """Squares of random brightness on black, away from the edges."""
    squares = np.random.default_rng(0).uniform(0, 255, (count, 3, 3, 1))
    squares = squares.repeat(4, axis=1).repeat(4, axis=2)
    return np.pad(squares, ((0, 0), (10, 10), (10, 10), (0, 0))).astype("float32")


def centroid(image):
    rows, columns = np.indices(image.shape)
    return (rows * image).sum() / image.sum(), (columns * image).sum() / image.sum()


def moved(images, seed, **largest):
    """Images under transforms that are drawn, bilinear, black outside."""
    transforms = random_affine(len(images), images.shape[1:3], seed, **largest)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
    )


def test_nothing_moves_without_a_range():
    np.testing.assert_array_equal(moved(images(), SEED), images())


def test_a_seed_decides_how_every_image_moves():
    largest = {"rotation": 20.0, "translation": 0.1, "zoom": 0.2, "slant": 0.3, "stretch": 0.2}
    same = np.repeat(images(1), 8, axis=0)
    changed = moved(same, SEED, **largest).numpy()
    np.testing.assert_array_equal(moved(same, SEED, **largest), changed)
    assert len({image.tobytes() for image in changed}) == 8
    assert not np.array_equal(moved(same, tf.constant([3, 5]), **largest), changed)


def test_slant_shifts_rows_in_proportion_to_their_distance_from_the_middle():
    bars = np.zeros((20, 32, 32, 1), "float32")
    bars[:, :, 14:18] = 1
    slanted = moved(bars, SEED, slant=0.3).numpy()[..., 0]
    columns = (slanted * np.arange(32)).sum(2) / slanted.sum(2)  # [20, 32]
    slopes = (columns[:, 30] - columns[:, 1]) / 29
    assert 0.2 < np.abs(slopes).max() <= 0.3
    expected = 15.5 + slopes[:, None] * (np.arange(32) - 15.5)
    np.testing.assert_allclose(columns, expected, atol=0.02)


def test_stretch_changes_the_width_alone():
    boxes = np.zeros((30, 32, 32, 1), "float32")
    boxes[:, 8:24, 8:24] = 1
    stretched = moved(boxes, SEED, stretch=0.25).numpy()[..., 0]
    np.testing.assert_allclose(stretched[:, :, 15].sum(1), 16, atol=1e-4)
    wide = stretched[:, 15].sum(1)
    assert 16 / 1.25 - 0.1 <= wide.min() < 14
    assert 18 < wide.max() <= 16 / 0.75 + 0.1


@pytest.mark.parametrize(
    ("setting", "low", "high"),
    [({"translation": 0.1}, (-3.2, -3.2), (3.2, 3.2)), ({"translation": 0.0}, (0, 0), (0, 0))],
)
def test_translation_is_in_parts_of_the_image(setting, low, high):
    blobs = np.repeat(images(1), 60, axis=0)
    shifted = moved(blobs, SEED, **setting).numpy()[..., 0]
    shifts = np.array([centroid(image) for image in shifted]) - centroid(blobs[0, ..., 0])
    np.testing.assert_allclose(shifts.min(0), low, atol=0.4)
    np.testing.assert_allclose(shifts.max(0), high, atol=0.4)


def test_rotation_is_in_degrees_around_the_middle():
    bars = np.zeros((40, 32, 32, 1), "float32")
    bars[:, 4:28, 14:18] = 1
    turned = moved(bars, SEED, rotation=20.0).numpy()[..., 0]
    angles = []
    for image in turned:
        np.testing.assert_allclose(centroid(image), (15.5, 15.5), atol=0.05)
        y, x = np.indices(image.shape) - 15.5
        spread = np.cov(np.stack([y.ravel(), x.ravel()]), aweights=image.ravel())
        angles.append(np.degrees(0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])))
    assert -20.1 < min(angles) < -17
    assert 17 < max(angles) < 20.1


def test_zoom_keeps_the_aspect():
    boxes = np.zeros((30, 32, 32, 1), "float32")
    boxes[:, 8:24, 8:24] = 1
    zoomed = moved(boxes, SEED, zoom=0.25).numpy()[..., 0]
    np.testing.assert_allclose(zoomed[:, 15].sum(1), zoomed[:, :, 15].sum(1), atol=1e-4)
    assert zoomed[:, 15].sum(1).min() < 14 < 18 < zoomed[:, 15].sum(1).max()


def placed(shape, scaled, begin, size=8):
    """A ramp and a mask of columns, placed alike."""
    image = ramps(*shape)
    placement = Placement(tf.constant(scaled), tf.constant(begin))
    square = fill_outside(place_image(image, placement, size), placement, [7.0, 8.0, 9.0])
    return square.numpy(), place_mask(image[..., 1], placement, size)


@pytest.mark.parametrize("begin", [(0, 0), (3, 5), (4, 2), (9, 9), (-2, -3)], ids=str)
def test_an_image_and_its_mask_are_cut_out_alike_where_nothing_is_scaled(begin):
    image, mask = placed((12, 13), (12, 13), begin)
    rows, columns = np.indices((8, 8)) + np.array(begin)[:, None, None]
    inside = (rows >= 0) & (rows < 12) & (columns >= 0) & (columns < 13)
    np.testing.assert_array_equal(mask, np.where(inside, columns, IGNORED))
    expected = np.stack([rows, columns, np.zeros_like(rows)], axis=-1)
    expected = np.where(inside[..., None], expected, [7, 8, 9])
    np.testing.assert_allclose(image, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3])
def test_masks_take_the_nearest_pixel_and_images_interpolate(factor):
    shape = (5, 6)
    scaled = tuple(factor * side for side in shape)
    image, mask = placed(shape, scaled, (1, 2))
    rows, columns = np.indices((8, 8)) + np.array([1, 2])[:, None, None]
    np.testing.assert_array_equal(mask, columns // factor)
    positions = np.clip((np.stack([rows, columns], -1) + 0.5) / factor - 0.5, 0, [4, 5])
    np.testing.assert_allclose(image[..., :2], positions, atol=1e-4)


def test_the_square_in_the_middle():
    placement = central_placement(tf.constant([21, 6]), 8)
    assert placement.begin.numpy().tolist() == [6, -1]


def test_a_random_square_has_no_class_that_fills_it():
    mask = np.zeros((20, 60), "uint8")
    mask[:, 40:] = np.arange(20)  # most squares lie on class 0 alone
    mask[:3] = IGNORED
    scaled = tf.constant([20, 60])
    draw = tf.function(lambda seed, most: random_placement(mask, scaled, 16, seed, most))

    def squares(most):
        placements = [draw(tf.constant([0, seed]), tf.constant(most)) for seed in range(60)]
        begins = np.array([placement.begin for placement in placements])
        assert begins.min() >= 0
        assert (begins <= [4, 44]).all()
        assert len(np.unique(begins, axis=0)) > 40
        return [mask[y : y + 16, x : x + 16] for y, x in begins]

    def filled(square):
        counted = square[square != IGNORED]
        return np.bincount(counted).max() > 0.75 * counted.size

    assert sum(map(filled, squares(1.0))) > 30
    assert sum(map(filled, squares(0.75))) < 5  # ten draws may fail
    again = draw(tf.constant([0, 3]), tf.constant(0.75)).begin
    np.testing.assert_array_equal(draw(tf.constant([0, 3]), tf.constant(0.75)).begin, again)


def test_a_random_square_is_not_ignored_altogether():
    mask = np.full((20, 60), IGNORED, "uint8")
    mask[:, 30:34] = np.arange(20)[:, None] % 5
    draw = tf.function(
        lambda seed: random_placement(mask, tf.constant([20, 60]), 16, seed, tf.constant(1.0))
    )
    columns = [int(draw(tf.constant([1, seed])).begin[1]) for seed in range(40)]
    seen = [(mask[:, column : column + 16] != IGNORED).any() for column in columns]
    assert np.mean(seen) > 0.95


def test_a_square_larger_than_the_image_begins_where_it_does():
    mask = np.zeros((5, 30), "uint8")
    placement = random_placement(mask, tf.constant([5, 30]), 16, SEED, 0.75)
    assert placement.begin[0] == 0
