"""Relative position bias."""

import numpy as np
import pytest

from pale_tf.layers.attention import WindowAttention
from pale_tf.layers.attention.relative_position import add_table, position_bias


@pytest.mark.parametrize("window", [(3, 3), (2, 3), (1, 2)])
def test_pairs_at_the_same_distance_have_the_same_number(window):
    table = np.random.default_rng(0).normal(size=(25, 2)).astype("float32")  # windows up to 3
    bias = np.asarray(position_bias(table, window, 3, 4))
    places = list(np.ndindex(*window))
    assert bias.shape == (4 * 2, len(places), len(places))
    for i, (row, column) in enumerate(places):
        for j, (other_row, other_column) in enumerate(places):
            entry = (row - other_row + 2) * 5 + column - other_column + 2
            np.testing.assert_array_equal(bias[:2, i, j], table[entry])
    np.testing.assert_array_equal(bias, np.tile(bias[:2], (4, 1, 1)))


def test_the_table_has_a_number_for_each_distance_and_head():
    table = add_table(WindowAttention(4), 7)
    assert table.shape == (13 * 13, 4)
    assert table.path.endswith("position_table")
