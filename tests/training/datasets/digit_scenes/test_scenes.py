"""Scenes of digits: what is drawn is what the masks say."""

import functools
import math

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_images

from training.datasets.digit_scenes import scenes

DIGITS = load_digits().images / 16
PHOTOGRAPHS = load_sample_images().images
SEEDS = range(20)
AROUND = 40  # pixels around a scene, where ink that sticks out is counted


@functools.cache
def scene(seed):
    """A background and what is drawn on it."""
    rng = np.random.default_rng([9, seed])
    background = scenes.crop(rng, PHOTOGRAPHS[seed % 2], (0, 640))
    return background, *scenes.draw(rng, background, DIGITS)


def cubic(distance):
    """Weight of a sample at a distance: Keys' kernel with a = -1, which Pillow uses."""
    x = np.abs(distance)
    near, far = x**3 - 2 * x**2 + 1, -(x**3) + 5 * x**2 - 8 * x + 4
    return np.where(x < 1, near, np.where(x < 2, far, 0))


@functools.cache
def cover_all(placement):
    """The part that a digit's ink covers of a scene and of `AROUND`, a sum over its cells."""
    turn = math.radians(placement.angle)
    rows, columns = np.mgrid[-AROUND : 96 + AROUND, -AROUND : 96 + AROUND] + 0.5
    down, right = rows - placement.center[0], columns - placement.center[1]
    # Turned back, in cells from the middle of the digit.
    across = (right * math.cos(turn) + down * math.sin(turn)) * 8 / placement.height
    along = (down * math.cos(turn) - right * math.sin(turn)) * 8 / placement.height
    smooth = np.zeros(rows.shape)
    for (row, column), ink in np.ndenumerate(DIGITS[placement.digit]):
        if ink:
            smooth += ink * cubic(along - (row - 3.5)) * cubic(across - (column - 3.5))
    return np.clip(0.5 + (smooth - 0.5) * placement.height / 8 / 1.5, 0, 1)


def cover(placement):
    """The part that a digit's ink covers of a scene."""
    return cover_all(placement)[AROUND:-AROUND, AROUND:-AROUND]


def around(ink):
    """Pixels that are at most four rows and four columns from ink."""
    near = np.zeros((96, 96), bool)
    for row, column in np.argwhere(ink):
        near[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = True
    return near


@pytest.mark.parametrize("seed", SEEDS)
def test_image_and_instances_are_the_digits_one_over_another(seed):
    background, image, instances, placements, colors = scene(seed)
    assert (image.dtype, image.shape) == (np.uint8, (96, 96, 3))
    assert (instances.dtype, instances.shape) == (np.uint8, (96, 96))
    expected, owners = 0.5 * background.astype(float), np.zeros((96, 96), int)
    unsure = np.zeros((96, 96), bool)  # where rounding decides
    for number, (placement, color) in enumerate(zip(placements, colors, strict=True), 1):
        alpha = cover(placement)
        expected = expected * (1 - alpha[..., None]) + color * alpha[..., None]
        owners[alpha >= 0.5] = number
        unsure |= np.abs(alpha - 0.5) < 1e-4
    np.testing.assert_allclose(image, expected, atol=0.51)
    np.testing.assert_array_equal(instances[~unsure], owners[~unsure])
    assert unsure.sum() < 5


@pytest.mark.parametrize("seed", SEEDS)
def test_enough_of_every_digit_is_visible(seed):
    _, _, instances, placements, _ = scene(seed)
    assert 1 <= len(placements) <= 3
    assert set(np.unique(instances)) - {0} == set(range(1, len(placements) + 1))
    assert len({placement.digit for placement in placements}) == len(placements)
    for number, placement in enumerate(placements, 1):
        ink = np.count_nonzero(cover_all(placement) >= 0.5)
        assert np.count_nonzero(instances == number) >= 0.9 * ink - 1
        assert -20 <= placement.angle <= 20
        assert 40 <= placement.height <= 64


def test_digits_overlap_and_stick_out():
    covered, outside = 0, 0
    for seed in SEEDS:
        _, _, instances, placements, _ = scene(seed)
        for number, placement in enumerate(placements, 1):
            inside = np.count_nonzero(cover(placement) >= 0.5)
            covered += np.count_nonzero(instances == number) < inside - 5
            outside += np.count_nonzero(cover_all(placement) >= 0.5) > inside + 5
    assert covered >= 3
    assert outside >= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_ink_is_brighter_than_nearly_all_that_was_there(seed):
    background, _, _, placements, colors = scene(seed)
    image = 0.5 * background.astype(float)
    for placement, color in zip(placements, colors, strict=True):
        alpha = cover(placement)
        near = image[around(alpha >= 0.5)]
        assert ((color - near) @ (0.299, 0.587, 0.114) >= 60).mean() >= 0.899
        assert color.max() >= 0.7 * 255
        assert color.min() <= 0.75 * color.max() + 1e-6
        image += alpha[..., None] * (color - image)


def test_a_scene_depends_on_its_seed_only():
    first, again, other = scene(3), scene.__wrapped__(3), scene(5)
    for a, b in zip(first[:3], again[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[3] == again[3]
    np.testing.assert_array_equal(first[4], again[4])
    assert not np.array_equal(first[1], other[1])


def test_digits_that_find_no_color_are_left_out(monkeypatch):
    monkeypatch.setattr(scenes, "CONTRAST", 256)
    background = scene(0)[0]
    image, instances, placements, colors = scenes.draw(np.random.default_rng(0), background, DIGITS)
    np.testing.assert_array_equal(image, np.round(0.5 * background))
    assert not instances.any()
    assert (placements, colors) == ([], [])


def test_a_bar_is_turned_clockwise_and_scaled():
    bar = np.zeros((8, 8))
    bar[:, 3:5] = 1
    placement = scenes.Placement(digit=0, height=48, angle=20, center=(40, 60))
    alpha = scenes.render(bar, placement)[32:-32, 32:-32]
    assert 0 <= alpha.min() <= alpha.max() <= 1
    rows, columns = np.nonzero(alpha >= 0.5)
    np.testing.assert_allclose((rows.mean() + 0.5, columns.mean() + 0.5), (40, 60), atol=0.3)
    assert abs(len(rows) - 48 * 12) < 0.06 * 48 * 12
    spread, axes = np.linalg.eigh(np.cov(columns, -rows))
    x, y = axes[:, np.argmax(spread)]
    assert math.degrees(math.atan2(x, y)) % 180 == pytest.approx(20, abs=1)


def test_the_largest_digit_fits_wherever_it_is():
    for center in ((12, 84), (84, 12), (12.5, 83.49)):
        for angle in (-20, 20):
            placement = scenes.Placement(digit=0, height=64, angle=angle, center=center)
            alpha = scenes.render(np.ones((8, 8)), placement)
            assert np.count_nonzero(alpha >= 0.5) == pytest.approx(64**2, rel=0.02)
            rows, columns = np.nonzero(alpha)
            middle = (rows.min() + rows.max() + 1) / 2, (columns.min() + columns.max() + 1) / 2
            np.testing.assert_allclose(middle, np.add(center, 32), atol=1)
            assert not alpha[[0, -1]].any()
            assert not alpha[:, [0, -1]].any()


def test_crops_stay_in_their_columns_and_reach_their_ends():
    photograph = np.zeros((110, 300, 3), "uint8")
    photograph[..., 0], photograph[..., 1] = np.arange(110)[:, None], np.arange(300) % 256
    rng = np.random.default_rng(0)
    crops = np.stack([scenes.crop(rng, photograph, (100, 204)) for _ in range(400)])
    assert crops.shape == (400, 96, 96, 3)
    assert set(crops[:, 0, 0, 0]) == set(range(15))
    assert set(crops[:, 0, 0, 1]) == set(range(100, 109))
    np.testing.assert_array_equal(crops[:, -1, -1], crops[:, 0, 0] + np.uint8([95, 95, 0]))


def test_widened_ink_is_all_within_four_pixels():
    ink = np.random.default_rng(0).uniform(size=(96, 96)) > 0.999
    np.testing.assert_array_equal(scenes.widen(ink), around(ink))


@pytest.mark.parametrize("gray", [0, 60, 127])
def test_colors_are_brighter_than_a_gray(gray):
    pixels = np.full((50, 3), float(gray))
    for seed in range(20):
        color = scenes.choose_color(np.random.default_rng(seed), pixels)
        assert color @ (0.299, 0.587, 0.114) >= gray + 60


def test_one_pixel_in_ten_may_be_brighter():
    pixels = np.full((50, 3), 20.0)
    pixels[:4] = 255
    assert scenes.choose_color(np.random.default_rng(0), pixels) is not None
    pixels[:6] = 255
    assert scenes.choose_color(np.random.default_rng(0), pixels) is None


def test_boxes_are_tight():
    instances = np.zeros((96, 96), "uint8")
    instances[10:20, 5:96] = 1
    instances[12:14, 7:9] = 2
    instances[95, 0] = 3
    expected = [[10, 5, 20, 96], [12, 7, 14, 9], [95, 0, 96, 1]]
    np.testing.assert_array_equal(scenes.boxes(instances, 3), expected)
