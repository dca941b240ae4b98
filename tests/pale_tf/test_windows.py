"""Windows: laws that hold for every size."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from pale_tf import windows

SIZES = st.integers(1, 9)


def numbered_map(height, width, channels=4):
    """A map whose values say where they come from; none is 0, which padding is."""
    x = 1 + np.arange(height * width * channels, dtype="float32")
    return x.reshape(1, height, width, channels)


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES)
def test_a_group_is_a_window_and_ungrouping_undoes_it(height, width, high, wide):
    x, window = numbered_map(height, width), (high, wide)
    grouped = windows.group_windows(x, window, 2)
    back = windows.ungroup_windows(grouped, height, width, window, 2)
    np.testing.assert_array_equal(back, x)
    tokens = ops.convert_to_numpy(windows.group_windows(x, window, 1))[0, :, :, 0]
    padded = np.pad(x[0, :, :, 0], [(0, -height % high), (0, -width % wide)])
    columns = math.ceil(width / wide)
    for index, group in enumerate(tokens):
        row, column = index // columns * high, index % columns * wide
        expected = padded[row : row + high, column : column + wide]
        np.testing.assert_array_equal(group, expected.ravel())
    real = windows.real_tokens(height, width, lambda x: windows.group_windows(x, window, 1))
    real = np.ones(tokens.shape, bool) if real is None else ops.convert_to_numpy(real)
    np.testing.assert_array_equal(real, tokens != 0)


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES)
def test_interlacing_makes_lines_far_apart_neighbors(height, width, rows, columns):
    x = numbered_map(height, width)
    moved = ops.convert_to_numpy(windows.interlace(x, (rows, columns)))
    back = windows.deinterlace(moved, height, width, (rows, columns))
    np.testing.assert_array_equal(back, x)
    high, wide = math.ceil(height / rows), math.ceil(width / columns)
    assert moved.shape == (1, rows * high, columns * wide, 4)
    for row, column in np.ndindex(height, width):
        place = row % rows * high + row // rows, column % columns * wide + column // columns
        np.testing.assert_array_equal(moved[0, *place], x[0, row, column])


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES, st.data())
def test_roll_is_numpys(height, width, data):
    x = numbered_map(height, width)
    shift = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    expected = np.roll(x, [-n for n in shift], axis=(1, 2))
    np.testing.assert_array_equal(windows.roll(x, *shift), expected)


def test_a_window_is_no_larger_than_the_map():
    assert windows.fit_window((7, 3), 4, 9) == (4, 3)
    assert [int(n) for n in windows.fit_window((7, 3), ops.array(4), ops.array(9))] == [4, 3]
