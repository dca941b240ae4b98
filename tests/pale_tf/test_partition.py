"""Partitioning: laws that hold for every size."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from pale_tf import partition

SIZES = st.integers(1, 12)
FORMS = {
    "rows": (partition.group_rows, partition.ungroup_rows, partition.row_mask),
    "columns": (partition.group_columns, partition.ungroup_columns, partition.column_mask),
}


def numbered_map(height, width, channels=4):
    """A map whose values say where they come from; none is 0, which padding is."""
    x = 1 + np.arange(height * width * channels, dtype="float32")
    return x.reshape(1, height, width, channels)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FORMS)), SIZES, SIZES, SIZES)
def test_ungroup_inverts_group(form, height, width, groups):
    group, ungroup, _ = FORMS[form]
    x = numbered_map(height, width)
    np.testing.assert_array_equal(
        ungroup(group(ops.array(x), groups, 2), height, width, groups, 2), x
    )


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES)
def test_pales_hold_each_token_once_by_row_and_once_by_column(height, width, rows, columns):
    groups = partition.pale_count(height, width, rows, columns)
    x = numbered_map(height, width)
    grouped = partition.group_pales(ops.array(x), groups, 2)
    for half in partition.ungroup_pales(grouped, height, width, groups, 2):
        np.testing.assert_array_equal(half, x)
    assert math.ceil(height / groups) <= rows
    assert math.ceil(width / groups) <= columns
    tokens = ops.convert_to_numpy(partition.group_pales(ops.array(x), groups, 1))[0, :, :, 0]
    mask = ops.convert_to_numpy(partition.pale_mask(height, width, groups))
    for index in range(groups):
        expected = {
            x[0, r, c, 0]
            for r in range(height)
            for c in range(width)
            if r % groups == index or c % groups == index
        }
        assert sorted(tokens[index][mask[index]]) == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FORMS)), SIZES, SIZES, SIZES)
def test_a_group_is_the_lines_that_are_congruent(form, height, width, pale_size):
    group, _, mask_of = FORMS[form]
    axis = 0 if form == "rows" else 1
    groups = math.ceil((height, width)[axis] / pale_size)
    x = numbered_map(height, width, channels=1)
    tokens = ops.convert_to_numpy(group(ops.array(x), groups, 1))[0, :, :, 0]
    mask = mask_of(height, width, groups)
    mask = np.ones(tokens.shape, bool) if mask is None else ops.convert_to_numpy(mask)
    np.testing.assert_array_equal(tokens != 0, mask)
    for index in range(groups):
        expected = [
            x[0, r, c, 0]
            for r in range(height)
            for c in range(width)
            if (r, c)[axis] % groups == index
        ]
        assert sorted(tokens[index][mask[index]]) == sorted(expected)


def test_no_mask_where_nothing_is_padded():
    assert partition.row_mask(56, 31, 8) is None
    assert partition.column_mask(31, 56, 8) is None
    assert partition.row_mask(10, 23, 4) is not None
