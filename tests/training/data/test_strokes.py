"""Widths of strokes."""

import numpy as np
import tensorflow as tf

from training.data import strokes

SEED = tf.constant([3, 4])


def images(count=6):
    """Squares of random brightness on black, away from the edges."""
    squares = np.random.default_rng(0).uniform(0, 255, (count, 3, 3, 1))
    squares = squares.repeat(4, axis=1).repeat(4, axis=2)
    return np.pad(squares, ((0, 0), (10, 10), (10, 10), (0, 0))).astype("float32")


def test_no_share_is_no_change():
    np.testing.assert_array_equal(strokes.change_width(images(), SEED, 0.0), images())


def test_a_seed_decides_what_happens_to_every_image():
    same = np.repeat(images(1), 8, axis=0)
    changed = strokes.change_width(same, SEED, 0.8).numpy()
    np.testing.assert_array_equal(strokes.change_width(same, SEED, 0.8), changed)
    assert len({image.tobytes() for image in changed}) == 8
    assert not np.array_equal(strokes.change_width(same, tf.constant([3, 5]), 0.8), changed)


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
