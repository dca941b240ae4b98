"""Interpolation and pooling by matrices."""

import numpy as np
import pytest

from pale_tf.interpolation import hat_weights, pooling_weights, resize_weights, tap_weights


def test_weights_interpolate_and_are_0_outside():
    line = np.random.default_rng(0).normal(size=6)
    positions = np.array([0.0, 5.0, 2.25, 4.5, 3.0], "float32")
    found = np.asarray(hat_weights(positions, 6)) @ line
    np.testing.assert_allclose(found, np.interp(positions, np.arange(6), line), atol=1e-5)
    outside = np.asarray(hat_weights(np.array([-1.5, 6.0], "float32"), 6))
    np.testing.assert_array_equal(outside, np.zeros((2, 6)))


@pytest.mark.parametrize(("size", "old_size"), [(7, 4), (3, 9), (5, 5), (4, 1), (1, 6)])
def test_a_line_is_resized_ends_on_ends(size, old_size):
    line = np.random.default_rng(1).normal(size=old_size)
    found = np.asarray(resize_weights(size, old_size)) @ line
    expected = np.interp(np.linspace(0, old_size - 1, size), np.arange(old_size), line)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("size", "old_size"), [(8, 4), (7, 3), (4, 9), (5, 5), (3, 1), (1, 4)])
def test_taps_see_the_resized_line_and_zeros_around_it(size, old_size):
    line = np.random.default_rng(2).normal(size=old_size)
    places = np.clip((np.arange(size) + 0.5) * old_size / size - 0.5, 0, old_size - 1)
    padded = np.pad(np.interp(places, np.arange(old_size), line), 1)
    found = np.asarray(tap_weights(size, old_size, 3)) @ line
    expected = [padded[tap : tap + size] for tap in range(3)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_bins_are_means_that_overlap_where_they_do_not_divide():
    thirds = np.asarray(pooling_weights(3, 5))
    expected = [[1 / 2, 1 / 2, 0, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3, 0], [0, 0, 0, 1 / 2, 1 / 2]]
    np.testing.assert_allclose(thirds, expected, atol=1e-6)
    np.testing.assert_allclose(pooling_weights(3, 1), np.ones((3, 1)))
