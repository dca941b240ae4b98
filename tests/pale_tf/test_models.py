"""PaleT, PaleS, PaleB and PaleN."""

import inspect
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import pale_tf
from pale_tf import PaleB, PaleN, PaleS, PaleT
from tests.conftest import needs_bfloat16
from tests.pale_tf.backends import OTHERS, run_on

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 97, 61, 3)).astype("float32")


@pytest.mark.parametrize(
    ("build", "published", "trainable"),
    [
        (PaleT, 21.75, 21_748_712),
        pytest.param(PaleS, 48.31, 48_308_200, marks=pytest.mark.slow),
        pytest.param(PaleB, 85.32, 85_324_776, marks=pytest.mark.slow),
    ],
)
def test_parameters(build, published, trainable):
    model = build()
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count == trainable
    assert round(count / 1e6, 2) == published
    assert model.output_shape == (None, 1000)


def test_signature_is_the_fixed_one():
    parameters = inspect.signature(PaleT).parameters
    assert list(parameters) == [
        "include_top",
        "include_preprocessing",
        "weights",
        "input_tensor",
        "input_shape",
        "pooling",
        "classes",
        "classifier_activation",
        "drop_path_rate",
        "name",
        "attention",
    ]
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert [defaults[name] for name in ("classes", "classifier_activation", "input_shape")] == [
        1000,
        "softmax",
        None,
    ]
    for build in (PaleS, PaleB, PaleN):
        others = inspect.signature(build).parameters
        assert list(others) == list(parameters)
        for name in others.keys() - {"name", "drop_path_rate"}:
            assert others[name].default == defaults[name]
    assert set(pale_tf.__all__) >= {
        "PaleT",
        "PaleS",
        "PaleB",
        "PaleN",
        "pale_backbone",
        "pale_network",
        "pale_segmenter",
        "pale_detector",
        "PSAttention",
        "PaleConfig",
        "fuse",
        "rematerialize",
    }


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (PaleN, (97, 61)),
        pytest.param(PaleT, (97, 61), marks=pytest.mark.slow),
        pytest.param(PaleT, (32, 32), marks=pytest.mark.slow),
        pytest.param(PaleT, (224, 224), marks=pytest.mark.slow),
        pytest.param(PaleT, (320, 512), marks=pytest.mark.slow),
    ],
)
def test_static_and_dynamic_sizes_give_the_same_numbers(build, size):
    dynamic = build(input_shape=(None, None, 3), classifier_activation=None)
    static = build(input_shape=(*size, 3), classifier_activation=None)
    static.set_weights(dynamic.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (1, *size, 3)).astype("float32")
    np.testing.assert_allclose(
        dynamic.predict(images, verbose=0), static.predict(images, verbose=0), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("size", [(224, 224), (97, 61)], ids=str)
def test_a_gradient_reaches_every_trainable_weight(size):
    model = PaleN(input_shape=(*size, 3), classes=7, classifier_activation=None, drop_path_rate=0.0)
    images = np.random.default_rng(1).uniform(0, 255, (2, *size, 3)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True) * np.arange(7, dtype="float32"))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        # A bias of the keys shifts all scores of a query alike, and softmax does not see it.
        if not weight.path.endswith("key/pointwise/bias"):
            assert np.any(gradient), weight.path


def test_saved_in_one_process_and_loaded_in_another(tmp_path):
    model = PaleN(input_shape=(97, 61, 3), classes=5)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    program = f"""
import keras, numpy as np, pale_tf
model = keras.saving.load_model({str(tmp_path / "model.keras")!r})
images = np.load({str(tmp_path / "images.npy")!r})
np.save({str(tmp_path / "outputs.npy")!r}, model.predict(images, verbose=0))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
    )
    assert done.returncode == 0, done.stderr
    # What TensorFlow logs when it gives up fusing: see ConditionalPositionEncoding.
    assert "remapper failed" not in done.stderr
    np.testing.assert_array_equal(
        np.load(tmp_path / "outputs.npy"), model.predict(IMAGES, verbose=0)
    )


@pytest.mark.parametrize(
    "policy", [pytest.param("mixed_bfloat16", marks=needs_bfloat16), "mixed_float16"]
)
def test_mixed_precision_stays_finite(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = PaleN(input_shape=(48, 64, 3), classes=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert model.get_layer("stage1_block1_attention").compute_dtype == policy.removeprefix("mixed_")
    # Eagerly: two steps take less time than tracing one.
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    rng = np.random.default_rng(2)
    images = rng.uniform(0, 255, (16, 48, 64, 3)).astype("float32")
    history = model.fit(images, rng.integers(0, 4, 16), batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert np.isfinite(model.predict(images[:8], verbose=0)).all()


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (PaleN, (None, None)),
        pytest.param(PaleT, (None, None), marks=pytest.mark.slow),
        pytest.param(PaleT, (224, 224), marks=pytest.mark.slow),
        pytest.param(PaleT, (97, 61), marks=pytest.mark.slow),
    ],
)
def test_no_tensor_of_a_rank_above_4(build, size):
    model = build(input_shape=(*size, 3))
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((None, *size, 3))).graph
    outputs = [output for op in graph.get_operations() for output in op.outputs]
    # Variables are handles; every other tensor has a known rank.
    ranks = [output.shape.rank for output in outputs if output.dtype != tf.resource]
    assert max(ranks) == 4


def test_no_mask_op_where_nothing_is_padded():
    model = PaleT(input_shape=(224, 224, 3))
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((1, 224, 224, 3))).graph
    types = {op.type for op in graph.get_operations()}
    assert not types & {"Range", "Less", "Tile", "SelectV2", "Shape", "StridedSlice", "PadV2"}


def test_pooling_and_top():
    assert PaleN(include_top=False).output_shape == (None, None, None, 256)
    assert PaleN(include_top=False, pooling="avg").output_shape == (None, 256)
    features = PaleN(include_top=False, input_shape=(97, 61, 3))
    pooled = PaleN(include_top=False, input_shape=(97, 61, 3), pooling="max")
    pooled.set_weights(features.get_weights())
    np.testing.assert_allclose(pooled(IMAGES), features(IMAGES).numpy().max((1, 2)), atol=1e-6)


def test_layers_have_the_names_of_the_paper():
    names = [layer.name for layer in PaleT().layers]
    assert "stage3_block16_attention" in names
    block = [name.removeprefix("stage2_block1_") for name in names if "stage2_block1_" in name]
    assert " ".join(block) == ("position norm1 attention drop_path1 add1 norm2 mlp drop_path2 add2")
    assert names[-3:] == ["norm", "avg_pool", "predictions"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize(("build", "variant"), [(PaleN, "nano"), (PaleT, "tiny")])
def test_other_backends_give_the_same_numbers(tmp_path, build, variant, backend):
    options = {"input_shape": (97, 61, 3), "drop_path_rate": 0.0}
    model = build(classes=11, classifier_activation=None, **options)
    model.save_weights(tmp_path / "model.weights.h5")
    np.save(tmp_path / "images.npy", IMAGES)
    run_on(backend, "backend_network.py", tmp_path, variant)
    actual = np.load(tmp_path / "outputs.npz")
    backbone = pale_tf.pale_backbone(variant, weights=tmp_path / "model.weights.h5", **options)
    expected = {"logits": model(IMAGES), **backbone(IMAGES)}
    assert set(actual) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=1e-4)
    actual, expected = np.load(tmp_path / "training.npz"), training_step(model)
    assert set(actual) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=1e-4 * (1 + abs(value).max()))


def training_step(model):
    """By path: the gradients of weights, and the other variables after the step."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(IMAGES, training=True) ** 2)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    found = {v.path: np.asarray(g) for v, g in zip(variables, gradients, strict=True)}
    return found | {v.path: np.asarray(v) for v in model.non_trainable_variables}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32, 4)}, r"`input_shape` .* three channels.*\(32, 32, 4\)"),
        ({"input_shape": (1, 32, 32, 3)}, "`input_shape` .* three dimensions"),
        ({"pooling": "sum"}, "`pooling` must be None.*Received: 'sum'"),
        ({"classes": 0}, "`classes` must be a positive integer. Received: 0"),
        ({"drop_path_rate": -0.1}, "`drop_path_rate` must be in .*Received: -0.1"),
        ({"weights": "imagenet"}, "`weights` must be None or the path.*Received: 'imagenet'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PaleT(**arguments)
