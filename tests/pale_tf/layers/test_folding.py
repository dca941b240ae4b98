"""The protocol of the inference form."""

import keras
import numpy as np

from pale_tf.layers.folding import AFFINE, Foldable, fold_affine, own_weights, path_inside


class Base(Foldable, keras.layers.Layer):
    absorbs = AFFINE

    def build(self, shape):
        self.dense = keras.layers.Dense(2, name="dense")
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)


class Silent(Base):
    pass


def test_a_subclass_absorbs_only_what_it_says_itself():
    class Says(Base):
        absorbs = "scale"

    assert (Base.absorbs, Silent.absorbs, Says.absorbs) == (AFFINE, None, "scale")


def test_by_default_a_layer_is_its_own_inference_form():
    layer = Silent(name="silent")
    layer.build((None, 3))
    assert layer.fused_config() == layer.get_config()
    weights = layer.fused_weights()
    assert list(weights) == ["dense/kernel", "dense/bias"]
    assert {value.dtype.name for value in weights.values()} == {"float64"}
    weights["dense/kernel"] += 1  # copies
    np.testing.assert_array_equal(own_weights(layer)["dense/kernel"], layer.dense.kernel)


def test_paths_begin_after_the_name_of_the_layer():
    layer = Silent(name="dense")  # as its sublayer is named
    layer.build((None, 3))
    assert [path_inside(layer, weight) for weight in layer.weights] == [
        "dense/kernel",
        "dense/bias",
    ]


def test_folding_scales_and_shifts_the_input():
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(4, 3)), rng.normal(size=3)
    scale, shift, x = rng.normal(size=(3, 4))
    weights = {"a/kernel": kernel, "a/bias": bias}
    fold_affine(weights, "a/", scale, shift)
    found = x @ weights["a/kernel"] + weights["a/bias"]
    np.testing.assert_allclose(found, (x * scale + shift) @ kernel + bias)
    weights = {"kernel": rng.normal(size=(2, 2, 4, 3)), "bias": bias}
    expected = np.einsum("c,hwcd->hwcd", scale, weights["kernel"])
    fold_affine(weights, "", scale)
    np.testing.assert_allclose(weights["kernel"], expected)
    assert weights["bias"] is bias
