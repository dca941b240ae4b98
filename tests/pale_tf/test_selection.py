"""Selecting by scores, and putting back, against NumPy's sorting and indexing."""

import fractions
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pale_tf import selection


@given(st.integers(1, 500), st.integers(1, 1000))
def test_the_count_is_rounded_up_and_the_same_for_tensors(count, thousandths):
    expected = math.ceil(count * fractions.Fraction(thousandths, 1000))
    assert selection.kept_count(count, thousandths / 1000) == expected
    assert int(selection.kept_count(tf.constant(count), thousandths / 1000)) == expected
    assert 1 <= expected <= count


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), st.data())
def test_what_is_taken_and_put_back(batch, count, data):
    kept = data.draw(st.integers(1, count))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    scores = rng.permuted(np.tile(np.arange(count), (batch, 1)), axis=1).astype("float32")
    x = rng.normal(size=(batch, count, 2, 3))
    ranking = selection.ranking(tf.constant(scores))
    np.testing.assert_array_equal(ranking, np.argsort(-scores, axis=1))
    rows = tf.constant(x.reshape(-1, 2, 3))
    best = selection.take(rows, ranking[:, :kept], count)
    rest = selection.take(rows, ranking[:, kept:], count)
    for sample in range(batch):
        order = np.argsort(-scores[sample])
        np.testing.assert_array_equal(
            best[sample * kept : (sample + 1) * kept], x[sample, order[:kept]]
        )
    ranks = selection.inverse(ranking)
    np.testing.assert_array_equal(ranks, count - 1 - scores)
    back = selection.put_back(best * 2, rest * 3, ranks, kept).numpy().reshape(x.shape)
    factors = np.where(scores >= count - kept, 2, 3)
    np.testing.assert_allclose(back, x * factors[..., None, None])


def test_sizes_that_are_known_at_run_time():
    def halve_what_is_not_best(x):
        ranking = selection.ranking(x)
        count = tf.shape(x)[1]
        kept = selection.kept_count(count, 0.5)
        rows = tf.reshape(x, (-1,))
        best, rest = (
            selection.take(rows, places, count) for places in (ranking[:, :kept], ranking[:, kept:])
        )
        ranks = selection.inverse(ranking)
        return tf.reshape(selection.put_back(best, rest / 2, ranks, kept), tf.shape(x))

    traced = tf.function(halve_what_is_not_best, input_signature=[tf.TensorSpec((None, None))])
    found = traced(tf.constant([[4.0, 2.0, 6.0], [2.0, 8.0, 4.0]]))
    np.testing.assert_array_equal(found, [[4, 1, 6], [1, 8, 4]])


@pytest.mark.parametrize("keep", [1, 1.0])
def test_everything_is_kept(keep):
    assert selection.kept_count(7, keep) == 7
