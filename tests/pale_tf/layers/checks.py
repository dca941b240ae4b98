"""The checks that every layer passes, in one helper."""

import keras
import numpy as np

from tests.conftest import HAS_BFLOAT16


def randomize(layer, seed):
    """Gives every weight of `layer` random values, BatchNorm's statistics too."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        if weight.path.endswith(("variance", "gamma")):
            value = rng.uniform(0.5, 2.0, weight.shape)
        else:
            value = rng.normal(0.0, 0.3, weight.shape)
        weight.assign(value)


def run_layer(make, weight_count=None, channels=8, output_shape=None):
    """Checks a layer that maps `[B, H, W, C]` feature maps.

    Args:
        make: Function of keyword arguments (such as `dtype`) that makes the layer.
        weight_count: Number of weights the layer must have; None where it depends on options.
        channels: `C` of the inputs.
        output_shape: Function of an input shape that gives the output shape; None: the same.
    """
    output_shape = output_shape or (lambda shape: shape)
    for shape in ((2, 14, 14, channels), (1, 40, 56, channels), (2, 3, 2, channels)):
        layer = make()
        outputs = layer(np.ones(shape, "float32"))
        assert tuple(outputs.shape) == output_shape(shape)
        assert layer.compute_output_shape(shape) == output_shape(shape)
        assert weight_count is None or len(layer.weights) == weight_count
    _check_config(make, channels)
    _check_dynamic(make(), channels)
    _check_fit(make, channels)
    for policy in ("mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16):
        _check_mixed(make, policy, channels)


def _check_config(make, channels):
    layer = make(name="checked")
    config = layer.get_config()
    clone = type(layer).from_config(config)
    assert clone.get_config() == config
    x = np.random.default_rng(0).normal(size=(2, 5, 7, channels)).astype("float32")
    expected = layer(x)
    clone.build(x.shape)
    clone.set_weights(layer.get_weights())
    np.testing.assert_array_equal(clone(x), expected)


def _check_dynamic(layer, channels):
    inputs = keras.Input((None, None, channels))
    model = keras.Model(inputs, layer(inputs))
    x = np.random.default_rng(1).normal(size=(2, 11, 6, channels)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), layer(x), atol=1e-5)


def _check_fit(make, channels):
    inputs = keras.Input((9, 10, channels))
    outputs = make()(keras.layers.Dense(channels)(inputs))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(outputs))
    model.compile("sgd", "mse")
    x = np.random.default_rng(2).normal(size=(4, 9, 10, channels)).astype("float32")
    y = np.zeros((4, model.output_shape[-1]), "float32")
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()


def _check_mixed(make, policy, channels):
    layer = make(dtype=policy)
    outputs = layer(np.ones((2, 8, 9, channels), "float32"), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))).all()
    assert all(weight.dtype == "float32" for weight in layer.weights)
