"""Means along the lines of a map, against NumPy's."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pale_tf.pooling import pool_columns, pool_rows
from tests.pale_tf import oracle

SIDES = st.integers(1, 13)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.integers(1, 15))
def test_means_of_neighbors_and_of_what_is_left(height, width, length):
    x = np.random.default_rng(0).normal(size=(2, height, width, 3))
    for pool, axis in ((pool_rows, 1), (pool_columns, 0)):
        found = pool(tf.constant(x), length).numpy()
        expected = [oracle.pool(image, length, axis) for image in x]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("pool", [pool_rows, pool_columns])
def test_sizes_that_are_known_at_run_time(pool):
    x = np.random.default_rng(1).normal(size=(2, 7, 5, 3)).astype("float32")
    traced = tf.function(
        lambda x: pool(x, 3), input_signature=[tf.TensorSpec((None, None, None, 3))]
    )
    np.testing.assert_allclose(traced(x), pool(tf.constant(x), 3), atol=1e-6)
