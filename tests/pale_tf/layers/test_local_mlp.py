"""LocalViT's MLP against its definition."""

import numpy as np
import pytest

from pale_tf import PaleConfig, pale_network
from pale_tf.layers.local_mlp import LocalMLP
from tests.pale_tf.layers.checks import randomize, run_layer


def test_layer():
    run_layer(lambda **kwargs: LocalMLP(ratio=4, **kwargs), weight_count=3 * 5 + 4)


def relu6(x):
    return np.minimum(np.maximum(x, 0), 6)


def norm(x, weights, name):
    gamma, beta, mean, variance = (
        weights[f"{name}_norm/{part}"]
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def convolved(x, kernel):
    """3×3 depth-wise convolution of `[H, W, C]`, zeros around it, pixel by pixel."""
    height, width, _ = x.shape
    y = np.zeros_like(x)
    for r, c, i, j in np.ndindex(height, width, 3, 3):
        if 0 <= r + i - 1 < height and 0 <= c + j - 1 < width:
            y[r, c] += x[r + i - 1, c + j - 1] * kernel[i, j, :, 0]
    return y


def expected_output(x, weights):
    x = norm(x @ weights["expand/kernel"], weights, "expand")
    x *= relu6(x + 3) / 6
    x = norm(convolved(x, weights["depthwise/kernel"]), weights, "depthwise")
    x *= relu6(x + 3) / 6
    gate = x.mean(axis=(0, 1)) @ weights["squeeze/kernel"] + weights["squeeze/bias"]
    gate = np.maximum(gate, 0) @ weights["excite/kernel"] + weights["excite/bias"]
    return norm((x * relu6(gate + 3) / 6) @ weights["contract/kernel"], weights, "contract")


@pytest.mark.parametrize("size", [(7, 5), (1, 1), (4, 9)], ids=str)
def test_equals_the_definition(size):
    layer = LocalMLP(ratio=2)
    layer.build((None, *size, 8))
    randomize(layer, seed=0)
    weights = {
        weight.path.split("/", 1)[1]: np.array(weight).astype("float64") for weight in layer.weights
    }
    x = np.random.default_rng(1).normal(size=(2, *size, 8))
    found = np.array(layer(x.astype("float32")))
    for image, output in zip(x, found, strict=True):
        np.testing.assert_allclose(output, expected_output(image, weights), rtol=0, atol=1e-4)


def test_the_squeezed_width_is_that_of_the_published_code():
    """hidden / (C / 4): 16 for the ratio of 4, in every stage."""
    config = PaleConfig("x", 32, (1, 1, 1, 1), (2, 2, 2, 2), mlp="local")
    network = pale_network(config, input_shape=(32, 32, 3))
    units = [network.get_layer(f"stage{stage}_block1_mlp").squeeze.units for stage in (1, 2, 3, 4)]
    assert units == [16] * 4
    assert not [layer.name for layer in network.layers if layer.name.endswith("_norm2")]


def test_bad_ratio():
    with pytest.raises(ValueError, match=r"`ratio` must be positive. Received: ratio=0"):
        LocalMLP(ratio=0)
