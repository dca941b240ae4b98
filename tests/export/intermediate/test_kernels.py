"""Rewritten OpenVINO models: other operations, the same numbers."""

import collections

import keras
import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from export.intermediate.conversion import convert
from export.intermediate.kernels import rewrite
from export.tasks import Task
from pale_tf.layers.mlp import MLP
from pale_tf.layers.normalization import LayerNorm
from tests.export.plug_in import compile_model


@pytest.fixture(scope="module")
def network():
    """LayerNorm, MLP and a classifier, after a layer that Keras computes in its own way."""
    keras.utils.set_random_seed(0)
    images = keras.Input((6, 5, 3))
    x = keras.layers.Dense(16)(images)
    norm = LayerNorm(name="norm")
    x = norm(x)
    norm.set_weights([np.linspace(0.5, 2, 16), np.linspace(-1, 1, 16)])
    x = keras.layers.GlobalAveragePooling2D()(MLP(name="mlp")(x))
    return keras.Model(images, {"scores": keras.layers.Dense(7)(x)})


def kinds(model):
    return collections.Counter(node.get_type_name() for node in model.get_ops())


def run(model, *inputs):
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    return compile_model(model, hint)(list(inputs))[0]


@pytest.mark.parametrize(
    ("batch", "precision", "products", "error"),
    [(2, "float32", 1, 1e-5), (2, "int8", 4, 0.05), (None, "float32", 4, 1e-5)],
)
def test_converted_networks_keep_their_numbers(network, batch, precision, products, error):
    images = np.random.default_rng(0).uniform(0, 255, (2, 6, 5, 3)).astype("float32")
    model = convert(network, Task(), batch, precision, images)
    count = kinds(model)
    assert (count["MVN"], count["Gelu"], count["Erf"], count["Power"]) == (1, 1, 0, 0)
    assert (count["MatMul"], count["Convolution"]) == (products, 4 - products)
    expected = network.predict(images, verbose=0)["scores"]
    found = run(model, images)
    np.testing.assert_allclose(found, expected, atol=error * abs(expected).max())
    assert model.outputs[0].any_name == "scores"


def graph(make, *shape):
    """A model of one tensor, and random numbers for it."""
    x = ops.parameter(shape, np.float32)
    model = openvino.Model([make(x)], [x])
    return model, np.random.default_rng(0).normal(size=shape).astype("float32")


def constant(value):
    return ops.constant(np.float32(value))


def like_a_norm(x, axis, square_axis, power, keep=True, epsilon=0.1):
    deviation = ops.subtract(x, ops.reduce_mean(x, [axis], keep))
    variance = ops.reduce_mean(ops.multiply(deviation, deviation), [square_axis], True)
    return ops.multiply(deviation, ops.power(ops.add(variance, constant(epsilon)), constant(power)))


def like_a_gelu(x, half, one):
    erf = ops.erf(ops.multiply(ops.negative(x), constant(0.5**0.5)))
    return ops.multiply(ops.multiply(x, constant(half)), ops.subtract(constant(one), erf))


def like_a_layer(x, units, transposed=False, bias=None, taken_twice=False):
    kernel = np.random.default_rng(1).normal(size=(6, units)).astype("float32")
    kernel = kernel.T.copy() if transposed else kernel
    product = ops.matmul(x, ops.constant(kernel), False, transposed)
    y = ops.add(product, ops.constant(np.float32(np.arange(units) if bias is None else bias)))
    return ops.add(y, product) if taken_twice else y


@pytest.mark.parametrize(
    ("make", "kind", "count"),
    [
        (lambda x: like_a_norm(x, -1, -1, -0.5), "MVN", 1),
        (lambda x: like_a_norm(x, 0, 0, -0.5), "MVN", 1),
        (lambda x: like_a_norm(x, -1, 0, -0.5), "MVN", 0),
        (lambda x: like_a_norm(x, 0, 0, -0.5, keep=False), "MVN", 0),
        (lambda x: like_a_norm(x, -1, -1, -0.5, epsilon=[[0.1], [0.2], [0.3], [0.4]]), "MVN", 0),
        (lambda x: like_a_norm(x, -1, -1, -1.0), "MVN", 0),
        (lambda x: like_a_gelu(x, 0.5, 1.0), "Gelu", 1),
        (lambda x: like_a_gelu(x, 0.5, 1.5), "Gelu", 0),
        (lambda x: like_a_gelu(x, [0.5] * 6, 1.0), "Gelu", 0),
        (lambda x: like_a_gelu(x, 1.0, 1.0), "Gelu", 0),
        (lambda x: like_a_layer(x, 9), "Convolution", 1),
        (lambda x: like_a_layer(x, 9, transposed=True), "Convolution", 1),
        (lambda x: like_a_gelu(like_a_layer(x, 9), 0.5, 1.0), "Convolution", 1),
        (lambda x: like_a_layer(x, 9, bias=[[3.0]]), "Convolution", 0),
        (lambda x: like_a_layer(x, 4, bias=[[1.0], [2.0], [3.0], [4.0]]), "Convolution", 0),
        (lambda x: like_a_layer(x, 9, bias=np.ones((4, 9))), "Convolution", 0),
        (lambda x: like_a_layer(x, 9, taken_twice=True), "Convolution", 0),
    ],
)
def test_what_only_looks_alike_is_left_alone(make, kind, count):
    model, x = graph(make, 4, 6)
    expected = run(model.clone(), x)
    rewrite(model)
    assert kinds(model)[kind] == count
    np.testing.assert_allclose(run(model, x), expected, rtol=1e-5, atol=1e-5)
