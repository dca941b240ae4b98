"""pale_detector: Mask R-CNN on a backbone, against loops in float64."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig, fuse, pale_backbone, pale_detector, pale_network
from pale_tf.configs import NETWORKS
from pale_tf.detector import PadToStride
from tests.conftest import HAS_BFLOAT16
from tests.pale_tf.backends import OTHERS_TO_PREDICT, run_on
from tests.pale_tf.decoders import detector_oracle as oracle
from tests.pale_tf.layers.checks import randomize

SMALL = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
CLASSES, CHANNELS, MOST = 3, 6, 8
HEAD = ("lateral", "fpn", "rpn", "box", "mask")


def make(config=SMALL, classes=CLASSES, **options):
    return pale_detector(config, classes, channels=CHANNELS, max_detections=MOST, **options)


def images(height=96, width=128, count=2):
    return np.random.default_rng(0).uniform(0, 255, (count, height, width, 3)).astype("float32")


def disturb(model):
    """Weights with which some boxes are found, and scores differ."""
    for seed, layer in enumerate(model.layers):
        if layer.weights and layer.name != "normalization":
            randomize(layer, seed)
        factor = {"rpn": 1 / 8, "box": 1 / 8, "mas": 1 / 2}.get(layer.name[:3], 1)
        for weight in layer.weights if factor < 1 else ():
            weight.assign(weight * factor)
    return model


def run(model, x):
    return {name: np.asarray(value) for name, value in model(x).items()}


def assert_same(found, expected, tolerance=1e-4):
    """Scores and masks to the tolerance, boxes to that many times a hundred pixels."""
    assert set(found) == set(expected)
    for name in ("count", "classes"):
        np.testing.assert_array_equal(found[name], expected[name])
    for name in set(expected) - {"count", "classes"}:
        scale = 100 if name == "boxes" else 1
        np.testing.assert_allclose(found[name], expected[name], atol=tolerance * scale)


def check(outputs, height, width, count, classes=CLASSES, most=MOST):
    """Asserts what holds for the outputs of any detector."""
    assert {name: (value.shape, str(value.dtype)) for name, value in outputs.items()} == {
        "boxes": ((count, most, 4), "float32"),
        "scores": ((count, most), "float32"),
        "classes": ((count, most), "int32"),
        "count": ((count,), "int32"),
        "masks": ((count, most, 28, 28), "float32"),
    }
    boxes, scores, masks = (outputs[name] for name in ("boxes", "scores", "masks"))
    assert (boxes >= 0).all()
    assert (boxes <= [width, height, width, height]).all()
    assert (boxes[..., 2:] >= boxes[..., :2]).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    np.testing.assert_array_equal(outputs["count"], (scores > 0.05).sum(1))
    assert ((outputs["classes"] >= 0) & (outputs["classes"] < classes)).all()
    assert (masks.min(), masks.max()) >= (0, 0)
    assert masks.max() <= 1
    for image, number in enumerate(outputs["count"]):
        assert masks[image, :number].any((1, 2)).all()
        for name in ("boxes", "scores", "classes", "masks"):
            assert not outputs[name][image, number:].any()


@pytest.fixture(scope="module")
def model():
    return disturb(make())


def test_equals_the_oracle(model):
    x = images()
    outputs = run(model, x)
    check(outputs, 96, 128, 2)
    assert outputs["masks"].std((2, 3)).min() > 0.01  # they are no plain areas
    levels = keras.Model(model.input, model.pyramid_outputs)(x)
    levels = {name: np.asarray(value, "float64") for name, value in levels.items()}
    weights = oracle.weights_of(x for x in model.layers if x.name.startswith(HEAD))
    maps = oracle.pyramid(levels, weights)
    proposed = oracle.region_proposal_head(maps, weights)
    for image in range(2):
        rois = oracle.proposals(proposed, image, (96, 128), 1000, 1000)
        heads = [oracle.box_head(oracle.align(maps, box, image, 7), weights) for box in rois]
        found = oracle.detections(rois, heads, (96, 128), MOST, 0.05, 0.5)
        count = outputs["count"][image]
        assert count == len(found) > 2
        scores, labels, boxes = zip(*found, strict=True)
        np.testing.assert_allclose(outputs["scores"][image, :count], scores, atol=1e-4)
        np.testing.assert_array_equal(outputs["classes"][image, :count], labels)
        np.testing.assert_allclose(outputs["boxes"][image, :count], boxes, atol=1e-2)
        for place, (_, label, box) in enumerate(found):
            expected = oracle.mask(maps, box, label, weights, image)
            np.testing.assert_allclose(outputs["masks"][image, place], expected, atol=1e-3)


@pytest.mark.parametrize(
    "size",
    [
        (97, 61),
        pytest.param((64, 96), marks=pytest.mark.slow),
        pytest.param((1, 1), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_static_and_dynamic_sizes_give_the_same(model, size):
    static = make(input_shape=(*size, 3))
    static.set_weights(model.get_weights())
    x = images(*size)
    expected = static.predict(x, verbose=0)
    check(expected, *size, 2)
    assert_same(model.predict(x, verbose=0), expected)
    for name, value in expected.items():
        assert static.output[name].shape == (None, *value.shape[1:])
        assert model.output[name].shape == (None, *value.shape[1:])


def test_images_of_a_batch_know_nothing_of_each_other(model):
    x = images(70, 100, 3)
    together = run(model, x)
    check(together, 70, 100, 3)
    for place in range(3):
        alone = run(model, x[place : place + 1])
        assert_same(alone, {name: value[place : place + 1] for name, value in together.items()})


@pytest.mark.parametrize(
    "config",
    [
        dataclasses.replace(NETWORKS["swin_t"], embed_dim=12, depths=(1, 1, 2, 1)),
        dataclasses.replace(NETWORKS["cswin_t"], embed_dim=16, depths=(1, 1, 1, 1)),
    ],
    ids=lambda config: config.name,
)
def test_takes_other_backbones_norms_and_one_class(config):
    model = disturb(make(config, 1, output_norms=True))
    assert model.name == f"{config.name}_detector"
    assert {f"norm_P{k}" for k in range(2, 6)} < {layer.name for layer in model.layers}
    outputs = run(model, images(60, 90))
    assert outputs["count"].min() > 0
    check(outputs, 60, 90, 2, classes=1)


@pytest.mark.parametrize("config", ["swin_t", pytest.param("cswin_t", marks=pytest.mark.slow)])
def test_takes_any_network_of_the_table(config):
    model = pale_detector(config, 3, channels=8)
    assert model.output["masks"].shape == (None, 100, 28, 28)
    assert model.pyramid_outputs["P5"].shape[-1] == pale_backbone(config).output["P5"].shape[-1]


def test_without_masks_it_is_faster_rcnn(model):
    faster = make(masks=False)
    assert set(faster.output) == {"boxes", "scores", "classes", "count"}
    assert not any("mask" in layer.name for layer in faster.layers)
    faster.set_weights(model.get_weights()[: len(faster.weights)])
    x = images(64, 64)
    expected = run(model, x)
    del expected["masks"]
    assert_same(run(faster, x), expected, 0)


def test_limits_of_what_is_detected(model):
    """A higher threshold, or fewer boxes: the first of the same. More suppression: fewer."""
    x = images(64, 64, 1)
    expected = {name: value[0] for name, value in run(model, x).items()}
    middle = float(expected["scores"][:2].mean())
    for options, count in (({"score_threshold": middle}, 1), ({}, 2)):
        limited = pale_detector(SMALL, CLASSES, channels=CHANNELS, max_detections=2, **options)
        limited.set_weights(model.get_weights())
        found = {name: value[0] for name, value in run(limited, x).items()}
        assert found["count"] == count
        for name in ("boxes", "scores", "classes", "masks"):
            np.testing.assert_allclose(found[name][:count], expected[name][:count], atol=1e-5)
    counts = []
    for threshold in (0.0, 0.5, 1.0):
        options = {"masks": False, "max_detections": 1500, "nms_threshold": threshold}
        other = pale_detector(SMALL, CLASSES, channels=CHANNELS, **options)
        other.set_weights(model.get_weights()[: len(other.weights)])
        counts.append(int(run(other, x)["count"][0]))
    assert counts[0] < counts[1] < counts[2] <= 1000


def test_the_name_and_the_rate_of_stochastic_depth():
    model = make(drop_path_rate=0.3, name="mine")
    assert model.name == "mine"
    assert make().name == "one_detector"
    assert model.get_layer("stage4_block1_drop_path1").rate == 0.3
    assert not any("drop_path" in layer.name for layer in make().layers)


def test_without_preprocessing_images_come_normalized(model):
    plain = make(include_preprocessing=False)
    assert "normalization" not in [layer.name for layer in plain.layers]
    plain.set_weights(
        [
            w
            for w, v in zip(model.get_weights(), model.weights, strict=True)
            if not v.path.startswith("normalization")
        ]
    )
    x = images(40, 50)
    normalized = np.asarray(model.get_layer("normalization")(x))
    assert_same(run(plain, normalized), run(model, x))


@pytest.mark.parametrize("size", [(64, 32), (61, 33), (1, 1)], ids=str)
def test_images_are_padded_to_multiples_of_32(size):
    layer, x = PadToStride((1.5, 200.1, 3.25), dtype="float32"), images(*size)
    height, width = (-(-side // 32) * 32 for side in size)
    expected = np.tile(np.array([1.5, 200.1, 3.25], "float32"), (2, height, width, 1))
    expected[:, : size[0], : size[1]] = x
    np.testing.assert_array_equal(layer(x), expected)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_array_equal(traced(x), expected)
    assert layer.compute_output_shape((None, *size, 3)) == (None, height, width, 3)
    assert layer.compute_output_shape((None, None, 5, 3)) == (None, None, 32, 3)
    assert PadToStride.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("policy", ["mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16])
def test_boxes_and_scores_are_float32_under_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = disturb(make())
    finally:
        keras.config.set_dtype_policy("float32")
    dtype = policy.removeprefix("mixed_")
    assert model.get_layer("fpn_P2").compute_dtype == dtype
    assert model.get_layer("box_align").output.dtype == dtype
    for name in ("rpn_objectness", "rpn_differences", "proposals", "image_sizes", "detections"):
        assert model.get_layer(name).compute_dtype == "float32"
    x = images(33, 2049, 1)  # a width that neither dtype knows
    for training in (False, True):
        check({k: np.asarray(v) for k, v in model(x, training=training).items()}, 33, 2049, 1)
    inner = keras.Model(
        model.input, [model.get_layer(k).output for k in ("image_sizes", "proposals")]
    )
    sizes, rois = map(np.asarray, inner(x))
    np.testing.assert_array_equal(sizes, [[33, 2049]])
    assert sizes.dtype == rois.dtype == "float32"
    assert rois[..., 2].max() == 2049
    assert (rois != np.asarray(keras.ops.cast(keras.ops.cast(rois, dtype), "float32"))).any()


def test_no_tensor_of_a_rank_above_4(model):
    static = make(input_shape=(96, 96, 3))
    for network, size in ((model, (None, None)), (static, (96, 96))):
        spec = tf.TensorSpec((None, *size, 3))
        graph = tf.function(network).get_concrete_function(spec).graph
        inner = [f.graph for f in graph._functions.values() if hasattr(f, "graph")]  # of loops
        operations = [op for g in (graph, *inner) for op in g.get_operations()]
        tensors = [output for op in operations for output in op.outputs]
        ranks = [t.shape.rank or 0 for t in tensors if t.dtype != tf.resource]
        assert max(ranks) == 4


@pytest.mark.parametrize("dtype", ["float32", *["bfloat16"] * HAS_BFLOAT16])
@pytest.mark.parametrize("output_norms", [False, True])
def test_fuse_folds_every_batch_norm_and_keeps_boxes_in_float32(model, dtype, output_norms):
    if output_norms:
        model = disturb(make(output_norms=True))
    fused = fuse(model, dtype=dtype)
    paths = [weight.path for weight in fused.variables]
    assert not any("moving" in path or "seed" in path for path in paths)
    assert len(paths) < len(model.variables)
    assert fused.get_layer("fpn_P2").compute_dtype == dtype
    x = images()
    found = run(fused, x)
    check(found, 96, 128, 2)
    if dtype == "float32":
        assert_same(found, run(model, x))


def test_the_inference_form_takes_another_size_and_can_be_saved(model, tmp_path):
    fused = fuse(model, input_shape=(40, 50, 3))
    assert fused.input_shape == (None, 40, 50, 3)
    x = images(40, 50)
    assert_same(run(fused, x), run(model, x))
    fused.save(tmp_path / "fused.keras")
    assert_same(run(keras.saving.load_model(tmp_path / "fused.keras"), x), run(fused, x), 0)


def test_takes_the_backbone_of_a_classifier_and_its_own_weights(model, tmp_path):
    classifier = pale_network(SMALL, classes=7)
    classifier.save_weights(tmp_path / "classifier.weights.h5")
    with pytest.warns(UserWarning, match=r"box_head/.*not in the file"):
        given = make(weights=tmp_path / "classifier.weights.h5")
    name = "stage3_block1_attention"
    own, of_file = (m.get_layer(name).get_weights() for m in (given, classifier))
    assert all(np.array_equal(a, b) for a, b in zip(own, of_file, strict=True))
    model.save(tmp_path / "model.keras")
    x, expected = images(64, 64), run(model, images(64, 64))
    assert_same(run(make(weights=tmp_path / "model.keras"), x), expected, 0)
    assert_same(run(keras.saving.load_model(tmp_path / "model.keras"), x), expected, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 0}, r"`classes` must be a positive integer. Received: 0"),
        ({"channels": -1}, r"`channels` must be a positive integer. Received: -1"),
        ({"max_detections": 0}, r"`max_detections` must be a positive integer. Received: 0"),
        ({"score_threshold": 1.5}, r"`score_threshold` must be in \[0, 1\]. Received: 1.5"),
        ({"nms_threshold": -0.1}, r"`nms_threshold` must be in \[0, 1\]. Received: -0.1"),
        ({"config": "huge"}, r"`config` must be a `PaleConfig` or one of .*Received: 'huge'"),
        ({"input_shape": (8, 8)}, r"`input_shape` .* three dimensions"),
        ({"weights": "coco"}, r"`weights` must be None or the path.*Received: 'coco'"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must be in .*Received: 1.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pale_detector(**{"config": SMALL, "classes": 3, **arguments})


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS_TO_PREDICT)
def test_other_backends_give_the_same_detections(model, tmp_path, backend):
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images(90, 70))
    run_on(backend, "backend_model.py", tmp_path)
    with np.load(tmp_path / "outputs.npz") as found:
        assert min(found["count"]) > 2
        assert_same(dict(found), run(model, images(90, 70)))
