"""Non-maximum suppression, against the greedy loop in float64."""

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from pale_tf.suppression import TILE, suppress
from tests.pale_tf import boxes_oracle as oracle
from tests.pale_tf.boxes_oracle import DEGENERATE, random_boxes


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_is_greedy(seed, threshold, grouped):
    rng = np.random.default_rng(seed)
    given = random_boxes(seed, 2, 25).astype("float32")
    given[:, 10:14] = given[:, 9:10]  # equal ones
    given[:, 17:] = DEGENERATE
    groups = rng.integers(0, 3, (2, 25)) if grouped else None
    found = np.asarray(suppress(given, threshold, groups))
    for image in range(2):
        # Overlaps next to the threshold may fall on either side in float32.
        exact = given[image].astype("float64")
        kept = oracle.suppress(exact, threshold, None if groups is None else groups[image])
        assert np.flatnonzero(found[image]).tolist() == kept


@given(st.integers(0, 10**6), st.sampled_from([0.25, 0.5]))
@settings(max_examples=40, deadline=None)
def test_an_overlap_of_the_threshold_stays(seed, threshold):
    """Small whole numbers: many overlaps equal the threshold exactly."""
    begin = np.random.default_rng(seed).integers(0, 3, (20, 2))
    sides = np.random.default_rng([seed, 1]).integers(0, 4, (20, 2))
    some = np.concatenate([begin, begin + sides], -1).astype("float32")
    found = np.asarray(suppress(some[None], threshold))[0]
    assert np.flatnonzero(found).tolist() == oracle.suppress(some.astype("float64"), threshold)


@pytest.mark.parametrize("count", [1, 40])
def test_of_equal_boxes_the_first_one_stays(count):
    some = np.tile([3.0, 4.0, 13.0, 24.0], (1, count, 1)).astype("float32")
    np.testing.assert_array_equal(np.asarray(suppress(some, 0.5))[0], np.arange(count) == 0)
    apart = np.arange(count)[None]  # groups
    assert np.asarray(suppress(some, 0.5, apart)).all()


def test_boxes_of_no_area_stay():
    assert np.asarray(suppress(np.zeros((1, 9, 4), "float32"), 0.0)).all()


@pytest.mark.parametrize("count", [40, 2 * TILE + 3])
def test_a_chain_of_boxes_takes_many_rounds(count):
    """Each suppresses the next one: every other one stays."""
    x = np.arange(count, dtype="float32")[:, None] * 4
    chain = np.concatenate([x, 0 * x, x + 10, 0 * x + 10], -1)[None]
    np.testing.assert_array_equal(np.asarray(suppress(chain, 0.4))[0], np.arange(count) % 2 == 0)


@pytest.mark.parametrize("count", [1, TILE - 1, TILE, TILE + 1, 3 * TILE])
@pytest.mark.parametrize("grouped", [False, True])
def test_any_number_of_boxes_known_or_not(count, grouped):
    some = random_boxes(count, 1, count).astype("float32")
    groups = np.random.default_rng(count).integers(0, 3, (1, count)) if grouped else None
    expected = oracle.suppress(some[0].astype("float64"), 0.3, groups[0] if grouped else None)
    assert np.flatnonzero(suppress(some, 0.3, groups)[0]).tolist() == expected
    signature = [tf.TensorSpec((None, None, 4)), tf.TensorSpec((None, None), "int64")]
    run = tf.function(
        lambda boxes, groups: suppress(boxes, 0.3, groups if grouped else None),
        input_signature=signature,
    )
    found = run(some, groups if grouped else np.zeros((1, count), "int64"))
    assert np.flatnonzero(found[0]).tolist() == expected
