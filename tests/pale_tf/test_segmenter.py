"""pale_segmenter: UPerNet on a backbone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig, fuse, pale_backbone, pale_network, pale_segmenter
from tests.conftest import HAS_BFLOAT16
from tests.pale_tf.backends import OTHERS_TO_PREDICT, run_on
from tests.pale_tf.decoders import oracle
from tests.pale_tf.layers.checks import randomize

SMALL = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
CLASSES, CHANNELS = 5, 6


def make(**options):
    return pale_segmenter(SMALL, CLASSES, channels=CHANNELS, **options)


def images(height=97, width=61):
    return np.random.default_rng(0).uniform(0, 255, (2, height, width, 3)).astype("float32")


def randomized(model):
    for seed, layer in enumerate(model.layers):
        if layer.weights and layer.name != "normalization":
            randomize(layer, seed)
    return model


def weights_of(model, layers):
    return {
        name: {w.name: np.array(w, "float64") for w in model.get_layer(name).weights}
        for name in layers
    }


@pytest.mark.parametrize("output_norms", [False, True])
def test_equals_backbone_and_oracle(output_norms):
    model = randomized(make(auxiliary=True, output_norms=output_norms))
    x = images()
    levels = keras.Model(model.input, model.pyramid_outputs)(x)
    levels = {level: np.array(value, "float64") for level, value in levels.items()}
    names = [layer.name for layer in model.layers if layer.name[0] != "s"]
    weights = weights_of(model, names)

    def scores(x, prefix=""):
        last = weights[f"{prefix}predictions"]
        logits = oracle.resize(x @ last["kernel"][0, 0] + last["bias"], 97, 61)
        exponentials = np.exp(logits - logits.max(-1, keepdims=True))
        return exponentials / exponentials.sum(-1, keepdims=True)

    found = model(x)
    expected = scores(oracle.upernet(levels, weights))
    np.testing.assert_allclose(found["main"], expected, atol=1e-4)
    side = oracle.conv_norm(levels["P4"], weights["auxiliary_conv"])
    np.testing.assert_allclose(found["auxiliary"], scores(side, "auxiliary_"), atol=1e-4)


@pytest.mark.parametrize(
    "size",
    [
        (97, 61),
        pytest.param((64, 96), marks=pytest.mark.slow),
        pytest.param((20, 33), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_static_and_dynamic_sizes_give_the_same_scores(size):
    dynamic = randomized(make())
    static = make(input_shape=(*size, 3))
    static.set_weights(dynamic.get_weights())
    assert static.output_shape == (None, *size, CLASSES)
    assert dynamic.output_shape == (None, None, None, CLASSES)
    x = images(*size)
    expected = static.predict(x, verbose=0)
    np.testing.assert_allclose(dynamic.predict(x, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(expected.sum(-1), 1, atol=1e-5)


def test_logits_and_the_name():
    model = make(classifier_activation=None, name="mine")
    assert model.name == "mine"
    assert make().name == "one_segmenter"
    probable = make()
    probable.set_weights(model.get_weights())
    logits = model(images())
    np.testing.assert_allclose(keras.ops.softmax(logits), probable(images()), atol=1e-6)


@pytest.mark.parametrize("config", ["swin_t", pytest.param("cswin_t", marks=pytest.mark.slow)])
def test_takes_any_network_of_the_table(config):
    model = pale_segmenter(config, 3, channels=8)
    assert model.output_shape == (None, None, None, 3)
    assert model.pyramid_outputs["P5"].shape[-1] == pale_backbone(config).output["P5"].shape[-1]


def test_a_gradient_reaches_every_trainable_weight():
    model = make(auxiliary=True, drop_path_rate=0.0)
    with tf.GradientTape() as tape:
        outputs = model(images(), training=True)
        loss = sum(tf.reduce_mean(value**2) for value in outputs.values())
    variables = [variable.value for variable in model.trainable_variables]
    gradients = tape.gradient(loss, variables)
    missing = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.isfinite(gradient).all()
    ]
    assert missing == []


@pytest.mark.parametrize("policy", ["mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16])
def test_scores_are_float32_under_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = make(auxiliary=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("fpn_P2").compute_dtype == policy.removeprefix("mixed_")
    for outputs in (model(images()), model(images(), training=True)):
        for scores in outputs.values():
            assert scores.dtype == "float32"
            assert np.isfinite(scores).all()


def test_no_tensor_of_a_rank_above_4():
    for size in ((None, None), (96, 96)):
        spec = tf.TensorSpec((None, *size, 3))
        graph = tf.function(make(input_shape=(*size, 3))).get_concrete_function(spec).graph
        tensors = [output for op in graph.get_operations() for output in op.outputs]
        assert max(t.shape.rank for t in tensors if t.dtype != tf.resource) == 4


@pytest.mark.parametrize("dtype", ["float32", *["bfloat16"] * HAS_BFLOAT16])
def test_fuse_folds_every_batch_norm_and_keeps_scores_in_float32(dtype):
    model = randomized(make(auxiliary=True, classifier_activation=None))
    fused = fuse(model, dtype=dtype)
    paths = [weight.path for weight in fused.variables]
    assert not any("moving" in path or "seed" in path for path in paths)
    assert fused.get_layer("fpn_bottleneck").compute_dtype == dtype
    found, expected = fused(images()), model(images())
    for name, scores in expected.items():
        assert found[name].dtype == "float32"
        error = abs(found[name] - scores) / np.std(scores)
        assert np.max(error) < 1e-4 if dtype == "float32" else np.mean(error) < 0.1


def test_takes_the_backbone_of_a_classifier_and_its_own_weights(tmp_path):
    classifier = pale_network(SMALL, classes=7)
    classifier.save_weights(tmp_path / "classifier.weights.h5")
    with pytest.warns(UserWarning, match=r"fpn_bottleneck/.*not in the file"):
        model = make(weights=tmp_path / "classifier.weights.h5")
    name = "stage3_block1_attention"
    own, given = (m.get_layer(name).get_weights() for m in (model, classifier))
    assert all(np.array_equal(a, b) for a, b in zip(own, given, strict=True))
    randomized(model).save(tmp_path / "model.keras")
    again = make(weights=tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images()), model(images()))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images()), model(images()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 0}, r"`classes` must be a positive integer. Received: 0"),
        ({"channels": -1}, r"`channels` must be a positive integer. Received: -1"),
        ({"config": "huge"}, r"`config` must be a `PaleConfig` or one of .*Received: 'huge'"),
        ({"input_shape": (8, 8)}, r"`input_shape` .* three dimensions"),
        ({"weights": "ade20k"}, r"`weights` must be None or the path.*Received: 'ade20k'"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must be in .*Received: 1.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pale_segmenter(**{"config": SMALL, "classes": 3, **arguments})


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS_TO_PREDICT)
def test_other_backends_give_the_same_scores(tmp_path, backend):
    model = randomized(make(auxiliary=True, classifier_activation=None))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images())
    run_on(backend, "backend_model.py", tmp_path)
    expected = model(images())
    with np.load(tmp_path / "outputs.npz") as found:
        for name, scores in expected.items():
            assert np.max(abs(found[name] - scores) / np.std(scores)) < 1e-4
