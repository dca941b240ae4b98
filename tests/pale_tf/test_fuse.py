"""fuse: the inference form gives the numbers of the training form."""

import keras
import numpy as np
import pytest

from pale_tf import PaleConfig, PaleN, PaleT, PSAttention, fuse, pale_backbone, pale_detector
from pale_tf.layers.mlp import MLP
from pale_tf.layers.normalization import LayerNorm

RNG = np.random.default_rng(0)


def disturbed(model):
    """`model` with weights and statistics as training leaves them: none is 0 or 1."""
    for weight in model.weights:
        if "seed" in weight.path:
            continue
        value = np.asarray(weight)
        if "variance" in weight.path:
            weight.assign(RNG.uniform(0.5, 2.0, value.shape))
        else:
            weight.assign(value + RNG.normal(0.0, 0.1, value.shape))
    return model


def outputs(model, images):
    return keras.tree.map_structure(np.asarray, model(images, training=False))


def assert_same(model, fused, size):
    images = RNG.uniform(0, 255, (2, *size, 3)).astype("float32")
    expected, found = outputs(model, images), outputs(fused, images)
    keras.tree.assert_same_structure(expected, found)
    for a, b in zip(keras.tree.flatten(expected), keras.tree.flatten(found), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5 * abs(a).max())


@pytest.mark.parametrize("size", [(33, 71)])
@pytest.mark.parametrize(
    "options",
    [
        {"classes": 10},
        {"classes": 10, "include_preprocessing": False, "classifier_activation": None},
        {"include_top": False},
        {"include_top": False, "pooling": "avg"},
        {"include_top": False, "pooling": "max"},
    ],
    ids=str,
)
def test_equals_the_network(options, size):
    model = disturbed(PaleN(input_shape=(*size, 3), **options))
    assert_same(model, fuse(model), size)


def test_equals_the_backbone_at_a_size_known_at_run_time_only():
    model = disturbed(pale_backbone("nano"))
    fused = fuse(model)
    assert fused.input_shape == model.input_shape
    assert_same(model, fused, (48, 72))


def test_takes_another_size():
    model = disturbed(PaleN(input_shape=(32, 32, 3), classes=10))
    fused = fuse(model, input_shape=(64, 48, 3))
    assert fused.input_shape == (None, 64, 48, 3)
    other = PaleN(input_shape=(64, 48, 3), classes=10)
    other.set_weights(model.get_weights())
    assert_same(other, fused, (64, 48))


def test_computes_in_float32_what_was_trained_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = disturbed(PaleN(input_shape=(32, 32, 3), classes=10))
    finally:
        keras.config.set_dtype_policy("float32")
    exact = PaleN(input_shape=(32, 32, 3), classes=10)
    exact.set_weights(model.get_weights())
    assert_same(exact, fuse(model), (32, 32))


def test_holds_no_batch_norm_and_nothing_random():
    model = PaleT()
    fused = fuse(model)
    paths = [weight.path for weight in fused.weights]
    assert not any("moving" in path or "seed" in path for path in paths)
    assert not any("drop_path" in layer.name for layer in fused.layers)
    assert all(layer.folded for layer in fused.layers if isinstance(layer, PSAttention))
    # Of the LayerNorms' affine parts, only those stay that no point-wise layer follows.
    assert sum("norm2" in path or path.startswith("norm/") for path in paths) == 0


def test_leaves_the_network_as_it_is_and_can_be_saved(tmp_path):
    model = disturbed(PaleN(input_shape=(32, 32, 3), classes=10))
    before = [np.array(weight) for weight in model.weights]
    fused = fuse(model)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    fused.save(tmp_path / "fused.keras")
    assert_same(fused, keras.saving.load_model(tmp_path / "fused.keras"), (32, 32))


@pytest.mark.parametrize("name", ["stage1_block1_norm2", "norm"])
def test_folds_no_norm_that_is_an_output(name):
    model = disturbed(PaleN(input_shape=(32, 32, 3), classes=10))
    model = keras.Model(model.inputs[0], [model.get_layer(name).output, model.output])
    assert_same(model, fuse(model), (32, 32))


@pytest.mark.parametrize("name", ["stage1_block1_norm2", "norm", "avg_pool"])
def test_folds_no_norm_that_something_else_reads(name):
    model = PaleN(input_shape=(32, 32, 3), classes=10)
    other = keras.layers.Dense(3, name="other")(model.get_layer(name).output)
    model = disturbed(keras.Model(model.inputs[0], [other, model.output]))
    assert_same(model, fuse(model), (32, 32))


@keras.saving.register_keras_serializable(package="tests")
class Foreign(keras.layers.Layer):
    """A layer with weights that says nothing about its inference form."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    def call(self, x):
        return x @ self.kernel


@keras.saving.register_keras_serializable(package="tests")
class GatedMLP(MLP):
    """An MLP with a weight more, through which its input passes by."""

    def build(self, shape):
        super().build(shape)
        self.gate = self.add_weight(shape=shape[-1:], name="gate")

    def call(self, x, training=None):
        return super().call(x, training=training) + self.gate * x


@keras.saving.register_keras_serializable(package="tests")
class ScaledAttention(PSAttention):
    """An attention with a weight and a sublayer more."""

    def build(self, shape):
        super().build(shape)
        self.temperature = self.add_weight(shape=shape[-1:], initializer="ones", name="temperature")
        self.extra = self.dense(shape[-1], "extra")
        self.extra.build(shape)

    def mix(self, query, key, value, training=None):
        mixed = super().mix(query, key, value, training)
        return self.temperature * mixed + self.extra(value)


@keras.saving.register_keras_serializable(package="tests")
class ThirdProjection(PSAttention):
    """An attention with a projection more, whose BatchNorm it does not fold."""

    def build(self, shape):
        super().build(shape)
        self.third = self._projection(shape[-1], "third")
        self.third.build(shape)

    def project(self, inputs, training=None):
        query, key, value = super().project(inputs, training)
        return query, key, value + self.third(inputs, training=training)


def network_with(**layers):
    """One block of a network, some of whose layers are replaced: `mlp`, `attention`."""
    inputs = x = keras.Input((12, 10, 8))
    for index, name in enumerate(("attention", "mlp"), start=1):
        prefix = f"stage1_block1_{name}"
        layer = layers.get(name, {"attention": PSAttention, "mlp": MLP}[name])
        layer = layer(2, name=prefix)
        x = LayerNorm(name=f"stage1_block1_norm{index}")(x)
        x = layer(x)
    return disturbed(keras.Model(inputs, x))


def assert_block_same(model, fused):
    x = RNG.normal(size=(2, 12, 10, 8)).astype("float32")
    expected = outputs(model, x)
    np.testing.assert_allclose(outputs(fused, x), expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize(
    ("layers", "norms"),
    [({}, 1), ({"mlp": GatedMLP}, 2), ({"attention": ScaledAttention}, 1)],
    ids=str,
)
def test_a_subclass_keeps_all_its_weights(layers, norms):
    model = network_with(**layers)
    fused = fuse(model)
    assert_block_same(model, fused)
    # A subclass takes no norm in unless it says that it can.
    assert len({w.path.split("/")[0] for w in fused.weights if "_norm" in w.path}) == norms


def test_a_layer_that_it_does_not_know_is_refused_by_name():
    model = network_with(mlp=lambda _, name: Foreign(name=name))
    with pytest.raises(ValueError, match=r"Received: stage1_block1_mlp \(Foreign\)"):
        fuse(model)


def test_weights_without_a_place_are_refused_by_name():
    model = network_with(attention=ThirdProjection)
    with pytest.raises(ValueError, match=r"stage1_block1_attention .*no place for .*third/norm"):
        fuse(model)


def test_folds_a_norm_into_no_layer_that_is_called_twice():
    inputs, other = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    dense = keras.layers.Dense(3, name="dense")
    norm = keras.layers.LayerNormalization(name="norm")
    model = disturbed(keras.Model([inputs, other], [dense(norm(inputs)), dense(other)]))
    arrays = [RNG.normal(size=(5, 4)).astype("float32") for _ in range(2)]
    for a, b in zip(outputs(model, arrays), outputs(fuse(model), arrays), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-6)


def test_folds_no_norm_that_an_operation_reads():
    inputs = keras.Input((4,))
    x = keras.layers.LayerNormalization(name="norm")(inputs)
    x = keras.layers.Dense(4, name="dense")(x) + keras.ops.mean(x, axis=-1, keepdims=True)
    model = disturbed(keras.Model(inputs, x))
    images = RNG.normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(outputs(fuse(model), images), outputs(model, images), atol=1e-6)


def test_folds_layers_of_keras_alone():
    inputs = keras.Input((4,))
    x = keras.layers.LayerNormalization(name="norm")(inputs)
    x = keras.layers.Dense(4, name="dense")(x)
    model = disturbed(keras.Model(inputs, keras.layers.BatchNormalization(name="batch")(x)))
    fused = fuse(model)
    assert fused.get_layer("norm").weights == []
    images = RNG.normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(outputs(fused, images), outputs(model, images), atol=1e-6)


def test_fuses_plain_functional_models_and_models_inside_models():
    model = disturbed(PaleN(input_shape=(32, 32, 3), classes=10))
    plain = keras.Model(model.inputs[0], model.output)  # as old files hold them
    fused = fuse(plain)
    assert_same(model, fused, (32, 32))
    assert [weight.path for weight in fused.weights] == [w.path for w in fuse(model).weights]
    inputs = keras.Input((32, 32, 3))
    outer = keras.Model(inputs, keras.layers.Dense(2, name="outer")(model(inputs)))
    inner = fuse(outer)
    assert_same(outer, inner, (32, 32))
    assert inner.get_layer("pale_n").get_layer("stage1_block1_attention").folded


def test_a_detector_keeps_its_heads_and_its_coordinates_in_float32():
    small = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
    model = pale_detector(small, 3, channels=8, max_detections=5)
    for name in ("rpn_objectness", "box_head"):  # or the last bits would decide what is found
        for weight in model.get_layer(name).trainable_weights:
            weight.assign(30 * weight)
    fused = fuse(model, input_shape=(64, 96, 3))
    images = RNG.uniform(0, 255, (2, 64, 96, 3)).astype("float32")
    expected, found = outputs(model, images), outputs(fused, images)
    assert expected["count"].tolist() == [5, 5]
    np.testing.assert_array_equal(found["classes"], expected["classes"])
    for name, tolerance in (("scores", 1e-4), ("boxes", 1e-2), ("masks", 1e-3)):
        np.testing.assert_allclose(found[name], expected[name], atol=tolerance)
    half = fuse(model, dtype="mixed_bfloat16")
    for name in ("rpn_objectness", "rpn_differences", "proposals", "detections"):
        assert half.get_layer(name).compute_dtype == "float32"
    assert {value.dtype for name, value in half.output.items() if name in ("boxes", "scores")} == {
        "float32"
    }
