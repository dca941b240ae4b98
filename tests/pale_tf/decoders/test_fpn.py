"""The feature pyramid of detectors, against the oracle."""

import keras
import numpy as np
import pytest

from pale_tf.decoders.fpn import feature_pyramid
from tests.pale_tf.decoders import detector_oracle as oracle
from tests.pale_tf.layers.checks import randomize


@pytest.mark.parametrize("size", [(3, 2), (1, 1)], ids=str)
@pytest.mark.parametrize("static", [True, False])
def test_equals_the_oracle(size, static):
    rng, inputs, levels = np.random.default_rng(0), {}, {}
    for stage, level in enumerate(("P2", "P3", "P4", "P5")):
        shape = (size[0] * 2 ** (3 - stage), size[1] * 2 ** (3 - stage))
        levels[level] = rng.normal(size=(2, *shape, 3 + stage)).astype("float32")
        inputs[level] = keras.Input((*(shape if static else (None, None)), 3 + stage), name=level)
    outputs = feature_pyramid(inputs, 5)
    model = keras.Model(inputs, outputs)
    for seed, layer in enumerate(model.layers):
        randomize(layer, seed)
    found = model(levels)
    expected = oracle.pyramid(levels, oracle.weights_of(model.layers))
    assert list(outputs) == list(expected) == ["P2", "P3", "P4", "P5", "P6"]
    for level, value in expected.items():
        np.testing.assert_allclose(found[level], value, atol=1e-4, err_msg=level)
        if static:
            assert outputs[level].shape[1:] == value.shape[1:]
    assert found["P6"].shape[1:3] == (-(-size[0] // 2), -(-size[1] // 2))
