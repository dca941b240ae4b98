"""Slants of strokes, and their widths."""

import numpy as np
import pytest
import tensorflow as tf

from training.data import strokes

SEED = tf.constant([3, 4])


def images(count=6):
    """Squares of random brightness on black, away from the edges."""
    squares = np.random.default_rng(0).uniform(0, 255, (count, 3, 3, 1))
    squares = squares.repeat(4, axis=1).repeat(4, axis=2)
    return np.pad(squares, ((0, 0), (10, 10), (10, 10), (0, 0))).astype("float32")


def test_moves_without_a_range_are_no_moves():
    np.testing.assert_array_equal(strokes.slant_and_stretch(images(), SEED), images())
    np.testing.assert_array_equal(strokes.change_width(images(), SEED, 0.0), images())


@pytest.mark.parametrize(
    "change",
    [
        lambda x, seed: strokes.slant_and_stretch(x, seed, 0.3, 0.2),
        lambda x, seed: strokes.change_width(x, seed, 0.8),
    ],
)
def test_a_seed_decides_what_happens_to_every_image(change):
    same = np.repeat(images(1), 8, axis=0)
    changed = change(same, SEED).numpy()
    np.testing.assert_array_equal(change(same, SEED), changed)
    assert len({image.tobytes() for image in changed}) == 8
    assert not np.array_equal(change(same, tf.constant([3, 5])), changed)


def test_slant_shifts_rows_in_proportion_to_their_distance_from_the_middle():
    bars = np.zeros((20, 32, 32, 1), "float32")
    bars[:, :, 14:18] = 1
    slanted = strokes.slant_and_stretch(bars, SEED, slant=0.3).numpy()[..., 0]
    columns = (slanted * np.arange(32)).sum(2) / slanted.sum(2)  # [20, 32]
    slopes = (columns[:, 30] - columns[:, 1]) / 29
    assert 0.2 < np.abs(slopes).max() <= 0.3
    expected = 15.5 + slopes[:, None] * (np.arange(32) - 15.5)
    np.testing.assert_allclose(columns, expected, atol=0.02)


def test_stretch_changes_the_width_alone():
    boxes = np.zeros((30, 32, 32, 1), "float32")
    boxes[:, 8:24, 8:24] = 1
    stretched = strokes.slant_and_stretch(boxes, SEED, stretch=0.25).numpy()[..., 0]
    np.testing.assert_allclose(stretched[:, :, 15].sum(1), 16, atol=1e-4)
    wide = stretched[:, 15].sum(1)
    assert 16 / 1.25 - 0.1 <= wide.min() < 14
    assert 18 < wide.max() <= 16 / 0.75 + 0.1


def test_strokes_get_thicker_and_thinner_by_up_to_a_pixel_on_either_side():
    bars = np.zeros((60, 32, 32, 1), "float32")
    bars[:, :, 13:19] = 200.0
    changed = strokes.change_width(bars, SEED, 0.5).numpy()
    ink = changed[:, 16].sum((1, 2)) / 200
    assert 5 <= ink.min() < 5.2
    assert 6.8 < ink.max() <= 7
    assert 0 <= changed.min() <= changed.max() <= 200
    whole = strokes.change_width(images(60), SEED, 1.0).numpy()
    around = np.pad(images(60), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (1, 2))
    thick, thin = around.max((-1, -2)), around.min((-1, -2))
    assert ((whole <= thick + 1e-3) & (whole >= thin - 1e-3)).all()
