"""UPerNet's head against its definition in NumPy."""

import keras
import numpy as np
import pytest

from pale_tf.decoders.upernet import upernet
from tests.pale_tf.decoders import oracle
from tests.pale_tf.layers.checks import randomize

WIDTHS = {"P2": 3, "P3": 4, "P4": 5, "P5": 6}


@pytest.mark.parametrize("size", [(64, 96), (97, 161), (321, 30), (32, 32), (5, 200)], ids=str)
def test_equals_the_oracle_at_any_size(size):
    sizes = [tuple(-(-side // stride) for side in size) for stride in (4, 8, 16, 32)]
    inputs = {
        level: keras.Input((None, None, width), name=level) for level, width in WIDTHS.items()
    }
    model = keras.Model(inputs, upernet(inputs, channels=4))
    for seed, layer in enumerate(model.layers):
        randomize(layer, seed)
    rng = np.random.default_rng(0)
    levels = {
        level: rng.normal(size=(2, *size, width))
        for (level, width), size in zip(WIDTHS.items(), sizes, strict=True)
    }
    weights = {
        layer.name: {weight.name: np.array(weight, "float64") for weight in layer.weights}
        for layer in model.layers
    }
    found = model({level: value.astype("float32") for level, value in levels.items()})
    expected = oracle.upernet(levels, weights)
    assert found.shape == (2, *sizes[0], 4)
    assert abs(expected).max() > 1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())
