"""Anchors, against loops in float64."""

import numpy as np
import pytest
import tensorflow as tf

from pale_tf.anchors import anchors
from tests.pale_tf import boxes_oracle as oracle


@pytest.mark.parametrize("size", [(3, 5), (1, 1), (1, 4)], ids=str)
@pytest.mark.parametrize("stride", [4, 8, 16, 32, 64])
def test_equal_the_oracle(stride, size):
    found, expected = anchors(*size, stride), oracle.anchors(*size, stride)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-4)


def test_sizes_may_be_known_at_run_time_only():
    run = tf.function(lambda height, width: anchors(height, width, 16))
    found = run(tf.constant(2), tf.constant(3))
    np.testing.assert_allclose(found, oracle.anchors(2, 3, 16), rtol=1e-6, atol=1e-4)


def test_those_of_a_large_image_are_exact():
    """Middles are multiples of the stride, which float32 holds."""
    found = np.asarray(anchors(200, 334, 4)).reshape(200, 334, 3, 4)
    middles = (found[..., :2] + found[..., 2:]) / 2
    y, x = np.mgrid[:200, :334] * 4
    np.testing.assert_array_equal(middles[:, :, 1], np.stack([x, y], -1))
    np.testing.assert_allclose(middles[:, :, 0], middles[:, :, 1], atol=1e-4)
