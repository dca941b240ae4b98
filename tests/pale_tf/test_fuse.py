"""fuse: the inference form gives the numbers of the training form."""

import keras
import numpy as np
import pytest

from pale_tf import PaleN, PaleT, PSAttention, fuse, pale_backbone

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
