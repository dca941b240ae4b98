"""The base of layers that join two streams: heads that divide the channels."""

import numpy as np
import pytest

from pale_tf.layers.bridge import Former
from pale_tf.layers.cross_attention import CrossAttention, flat


def test_maps_are_flattened_row_by_row():
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype("float32")
    np.testing.assert_array_equal(flat(x), x.reshape(2, 12, 5))


@pytest.mark.parametrize("heads", [0, -1, 1.5])
def test_bad_numbers_of_heads(heads):
    with pytest.raises(ValueError, match="`num_heads` must be a positive integer"):
        CrossAttention(heads)


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="`num_heads` must divide the channels"):
        Former(5)(np.zeros((2, 4, 6), "float32"))
