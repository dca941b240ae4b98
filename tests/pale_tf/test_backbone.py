"""The backbone and its pyramid."""

import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig, PaleN, fuse, pale_backbone, pale_detector, pale_segmenter
from pale_tf.backbone import PaleModel, drop_path_schedule, pyramid

SMALL = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
SIZES = [(224, 224), (97, 61), (320, 512), (32, 32)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_static_and_dynamic_sizes_give_the_same_pyramid(size):
    dynamic = pale_backbone(SMALL)
    static = pale_backbone(SMALL, input_shape=(*size, 3))
    static.set_weights(dynamic.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")
    expected, actual = static.predict(images, verbose=0), dynamic.predict(images, verbose=0)
    assert list(expected) == ["P2", "P3", "P4", "P5"]
    for level, stride in zip(expected, (4, 8, 16, 32), strict=True):
        shape = (2, math.ceil(size[0] / stride), math.ceil(size[1] / stride), 2 * stride)
        assert expected[level].shape == shape
        assert static.output[level].shape == (None, *shape[1:])
        np.testing.assert_allclose(actual[level], expected[level], rtol=0, atol=1e-5)


def test_takes_a_configuration_of_ones_own():
    config = PaleConfig("mine", 16, (1, 1, 2, 1), (2, 2, 4, 4), pale_size=(3, 5))
    model = pale_backbone(config, input_shape=(30, 50, 3))
    assert model.name == "mine_backbone"
    assert model.output["P5"].shape == (None, 1, 2, 128)


def test_preprocessing_is_imagenets():
    inside = pale_backbone(SMALL)
    outside = pale_backbone(SMALL, include_preprocessing=False)
    outside.set_weights(inside.get_weights())
    images = np.random.default_rng(1).uniform(0, 255, (1, 40, 33, 3))
    normal = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for level in ("P2", "P5"):
        np.testing.assert_allclose(
            inside(images.astype("float32"))[level],
            outside(normal.astype("float32"))[level],
            atol=1e-4,
        )


def test_drop_path_rises_linearly_over_all_blocks():
    assert drop_path_schedule(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    model = pale_backbone("nano", drop_path_rate=0.6)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("drop_path1")]
    assert rates == pytest.approx([0.1 * block for block in range(1, 7)])


def test_builds_on_a_tensor():
    inputs = keras.Input((64, 48, 3))
    model = pale_backbone("nano", input_tensor=inputs * 255.0)
    assert model.inputs[0] is inputs
    assert model.output["P3"].shape == (None, 8, 6, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": "huge"}, "`config` must be a `PaleConfig` or one of .*Received: 'huge'"),
        ({"input_shape": (32, 32, 1)}, r"`input_shape` .* three channels.*\(32, 32, 1\)"),
        ({"input_shape": (32, 32)}, r"`input_shape` .* three dimensions.*Received: \(32, 32\)"),
        ({"input_shape": 32}, "`input_shape` .*Received: 32"),
        ({"input_shape": (0, 32, 3)}, "`input_shape` must be a positive integer. Received: 0"),
        ({"input_tensor": keras.Input((8, 8, 4))}, "`input_tensor` .* three channels"),
        ({"config": ["tiny"]}, "`config` must be a `PaleConfig` or one of "),
        (
            {"input_tensor": [[1.0]]},
            "`input_tensor` must be a Keras tensor.*'list'",
        ),
        ({"drop_path_rate": 1.5}, r"`drop_path_rate` must be in \[0, 1\). Received: 1.5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pale_backbone(**{"config": "nano", **arguments})


def old_style(model):
    """The same layers in a plain functional model, as files held before `PaleModel`."""
    plain = keras.Model(model.inputs[0], model.output, name=model.name)
    assert type(plain) is not PaleModel
    return plain


@pytest.mark.parametrize("output_norms", [False, True])
def test_a_model_says_where_its_pyramid_is(output_norms):
    model = pale_backbone("nano", output_norms=output_norms)
    outputs = model.pyramid_outputs
    assert list(outputs) == ["P2", "P3", "P4", "P5"]
    for level, tensor in outputs.items():
        assert tensor is model.output[level]
        assert tensor is model.get_layer(model.pyramid_level_inputs[level]).output
    assert pyramid(old_style(model)).keys() == outputs.keys()


def test_a_classifier_has_the_pyramid_of_its_backbone():
    model = PaleN(input_shape=(64, 64, 3), classes=3)
    backbone = pale_backbone("nano", input_shape=(64, 64, 3), drop_path_rate=0.0)
    state = {weight.path: weight for weight in model.weights}
    for weight in backbone.weights:
        weight.assign(state[weight.path])
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    expected = backbone(images)
    for network in (model, old_style(model)):
        for level, value in keras.Model(network.inputs[0], pyramid(network))(images).items():
            np.testing.assert_allclose(value, expected[level], atol=1e-5)


def test_the_class_survives_saving_and_cloning(tmp_path):
    model = pale_backbone("nano", input_shape=(64, 64, 3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(loaded(images)["P5"], model(images)["P5"], atol=1e-6)
    for other in (loaded, keras.models.clone_model(model), fuse(model)):
        assert type(other) is PaleModel
        assert other.pyramid_level_inputs == model.pyramid_level_inputs


def test_norms_of_the_outputs_are_layer_norms():
    normed = pale_backbone("nano", input_shape=(64, 64, 3), output_norms=True)
    plain = pale_backbone("nano", input_shape=(64, 64, 3))
    state = {weight.path: weight for weight in normed.weights}
    for weight in plain.weights:
        weight.assign(state[weight.path])
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    for level, x in plain(images).items():
        x = np.asarray(x, "float64")
        gamma, beta = normed.get_layer(f"norm_{level}").get_weights()
        expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(normed(images)[level], expected * gamma + beta, atol=1e-4)


def test_a_model_without_the_stages_has_no_pyramid():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, name="stage1_dense")(inputs), name="other")
    with pytest.raises(ValueError, match=r"of the stages.*Received: 'other', which gives \['P2'\]"):
        pyramid(model)


def test_a_network_of_three_stages_has_three_levels():
    config = PaleConfig("three", (8, 12, 20), (1, 1, 1), (2, 2, 2), pale_size=2)
    backbone = pale_backbone(config, input_shape=(64, 48, 3))
    shapes = {level: tuple(x.shape[1:]) for level, x in backbone.output.items()}
    assert shapes == {"P2": (16, 12, 8), "P3": (8, 6, 12), "P4": (4, 3, 20)}
    assert list(pyramid(backbone)) == ["P2", "P3", "P4"]
    for build in (pale_segmenter, pale_detector):
        with pytest.raises(ValueError, match=r"`config` must have four stages. Received: 'three'"):
            build(config, 2)


def test_networks_are_built_by_any_name_of_the_table():
    assert pale_backbone("pale_n").name == "pale_n_backbone"
    assert pale_backbone("swin_t", input_shape=(64, 64, 3)).output["P5"].shape == (None, 2, 2, 768)


def scaled_images():
    return np.random.default_rng(0).random((2, 32, 32, 3)).astype("float32")


GIVE = {
    "call": lambda model, images: model(images),
    "call of a tensor": lambda model, images: model(keras.ops.convert_to_tensor(images)),
    "predict": lambda model, images: model.predict(images, verbose=0),
}


@pytest.mark.parametrize("give", GIVE.values(), ids=GIVE)
def test_images_in_0_to_1_are_warned_of_once(give, tmp_path):
    pale_backbone(SMALL, input_shape=(32, 32, 3)).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="normalizes images in 0..255 itself, and got values in"):
        give(model, scaled_images())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        give(model, scaled_images())


@pytest.mark.parametrize("give", GIVE.values(), ids=GIVE)
def test_images_in_the_right_range_are_not_warned_of(give):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        give(pale_backbone(SMALL, input_shape=(32, 32, 3)), 255.0 * scaled_images())
        normalized = pale_backbone(SMALL, input_shape=(32, 32, 3), include_preprocessing=False)
        give(normalized, scaled_images())


def test_keras_own_fit_trains_it():
    """Keras looks in the signature of `call` whether to say that it trains."""
    inputs = keras.Input((32, 32, 3))
    model = PaleModel(inputs, keras.layers.Dropout(0.5)(inputs))
    seen = []
    model.get_layer(index=-1).call = lambda x, training=False: seen.append(training) or x
    model.compile(loss="mse", run_eagerly=True)
    model.fit(scaled_images(), scaled_images(), verbose=0)
    model.evaluate(scaled_images(), scaled_images(), verbose=0)
    assert seen == [True, False]


def test_the_range_costs_a_graph_nothing():
    """A traced call has no values to look at, and no operation more."""
    model = pale_backbone(SMALL, input_shape=(32, 32, 3))
    layers = keras.Model(model.input, model.output)  # the same ones, without the look

    def operations(model):
        traced = tf.function(lambda images: model(images))
        graph = traced.get_concrete_function(tf.TensorSpec((2, 32, 32, 3))).graph
        return sorted(operation.type for operation in graph.get_operations())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert operations(model) == operations(layers)
