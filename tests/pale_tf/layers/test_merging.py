"""OverlappingMerging."""

import keras
import numpy as np
import pytest

from pale_tf.layers.merging import OverlappingMerging
from tests.pale_tf.layers.checks import run_layer


@pytest.mark.parametrize(("kernel_size", "strides"), [(7, 4), (3, 2)])
def test_layer(kernel_size, strides):
    def output_shape(shape):
        batch, height, width, _ = shape
        return (batch, -(-height // strides), -(-width // strides), 12)

    run_layer(
        lambda **kwargs: OverlappingMerging(12, kernel_size, strides, **kwargs),
        weight_count=4,
        output_shape=output_shape,
    )


@pytest.mark.parametrize("size", [(9, 12), (10, 11)])
def test_kernels_are_centered_on_every_second_pixel_of_any_size(size):
    layer = OverlappingMerging(5, kernel_size=3, strides=2)
    x = np.random.default_rng(0).normal(size=(*size, 4))
    layer.build((None, *size, 4))
    kernel, bias, _, _ = layer.get_weights()
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
    expected = np.array(
        [
            [
                np.tensordot(padded[r : r + 3, c : c + 3], kernel, axes=3) + bias
                for c in range(0, size[1], 2)
            ]
            for r in range(0, size[0], 2)
        ]
    )
    mean, variance = expected.mean(-1, keepdims=True), expected.var(-1, keepdims=True)
    expected = (expected - mean) / np.sqrt(variance + 1e-5)
    actual = keras.ops.convert_to_numpy(layer(x[None].astype("float32")))[0]
    np.testing.assert_allclose(actual, expected, atol=1e-4)


@pytest.mark.parametrize(("kernel_size", "strides"), [(4, 2), (3, 4)])
def test_patches_that_do_not_overlap(kernel_size, strides):
    with pytest.raises(ValueError, match="`kernel_size` must be odd and larger than `strides`"):
        OverlappingMerging(8, kernel_size, strides)
