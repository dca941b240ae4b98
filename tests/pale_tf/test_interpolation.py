"""Linear interpolation by matrices."""

import numpy as np
import pytest

from pale_tf.interpolation import hat_weights, resize_weights


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
