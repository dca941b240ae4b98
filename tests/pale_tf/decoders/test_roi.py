"""The box head and its detections, against loops in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf.decoders.roi import CANDIDATES, BoxHead, Detections
from tests.conftest import HAS_BFLOAT16
from tests.pale_tf.boxes_oracle import random_boxes
from tests.pale_tf.decoders import detector_oracle as oracle
from tests.pale_tf.layers.checks import randomize

CLASSES, SIZE = 3, (110, 130)


def outputs(seed, regions=12, classes=CLASSES, spread=2.0):
    """RoIs, logits and differences of two images."""
    rng = np.random.default_rng(seed)
    rois = random_boxes(seed, 2, regions).astype("float32")
    rois[:, 1:3] = rois[:, :1]  # equal ones, whose boxes differ
    logits = rng.normal(0, spread, (2 * regions, classes + 1)).astype("float32")
    differences = rng.normal(0, 1, (2 * regions, 4 * classes)).astype("float32")
    return rois, logits, differences


def detect(rois, logits, differences, **options):
    layer = Detections(**options)
    found = layer([np.array([SIZE] * 2, "float32"), rois, logits, differences])
    return {name: np.asarray(value) for name, value in found.items()}


def check(given, most=9, threshold=0.05, nms=0.5):
    rois, logits, differences = given
    found = detect(*given, count=most, score_threshold=threshold, nms_threshold=nms)
    regions, classes = rois.shape[1], logits.shape[-1] - 1
    logits = logits.astype("float64").reshape(2, regions, -1)
    differences = differences.astype("float64").reshape(2, regions, classes, 4)
    counts = []
    for image in range(2):
        heads = zip(logits[image], differences[image], strict=True)
        expected = oracle.detections(rois[image], heads, SIZE, most, threshold, nms)
        count = found["count"][image]
        assert count == len(expected)
        counts.append(int(count))
        for place, (score, label, box) in enumerate(expected):
            assert found["classes"][image, place] == label
            np.testing.assert_allclose(found["scores"][image, place], score, atol=1e-5)
            np.testing.assert_allclose(found["boxes"][image, place], box, atol=1e-3)
        for name in ("boxes", "scores", "classes"):
            assert found[name].shape[:2] == (2, most)
            assert not found[name][image, count:].any()
    return counts


def test_the_head_equals_the_oracle():
    layer = BoxHead(CLASSES, 6, name="box_head")
    layer.build((None, 7, 7, 4))
    randomize(layer, 0)
    assert layer.count_params() == (196 + 1) * 6 + 7 * 6 + 7 * 4 + 7 * 12
    x = np.random.default_rng(1).normal(size=(5, 7, 7, 4)).astype("float32")
    logits, differences = layer(x)
    for place in range(5):
        expected = oracle.box_head(x[place].astype("float64"), oracle.weights_of([layer]))
        np.testing.assert_allclose(logits[place], expected[0], atol=1e-4)
        np.testing.assert_allclose(differences[place], expected[1].ravel(), atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16])
def test_the_head_gives_float32_under_half_precision(policy):
    layer = BoxHead(CLASSES, 6, dtype=policy)
    found = layer(np.ones((2, 7, 7, 4), "float32"))
    assert layer.hidden1.compute_dtype == policy.removeprefix("mixed_")
    assert [x.dtype for x in found] == ["float32", "float32"]
    specs = layer(keras.Input((7, 7, 4)))
    assert [x.dtype for x in specs] == ["float32", "float32"]
    assert [x.shape for x in specs] == [(None, CLASSES + 1), (None, 4 * CLASSES)]


@pytest.mark.parametrize(
    ("most", "threshold", "nms"),
    [(9, 0.05, 0.5), (100, 0.05, 0.5), (1, 0.3, 0.5), (9, 0.0, 0.0), (50, 0.2, 1.0)],
)
def test_equal_the_oracle(most, threshold, nms):
    assert min(check(outputs(most), most, threshold, nms)) > 0


@pytest.mark.parametrize("classes", [1, 7])
def test_any_number_of_classes(classes):
    assert min(check(outputs(2, classes=classes))) > 0


def test_of_equal_scores_the_first_boxes_come_first():
    rois, logits, differences = outputs(3)
    check((rois, np.zeros_like(logits), differences), 30)
    check((np.tile(rois[:, :1], (1, 12, 1)), logits, np.zeros_like(differences)), 30)


def test_filling_and_boxes_of_no_area_are_no_regions():
    rois, logits, differences = outputs(4)
    rois[0, 4:] = 0
    rois[1, :] = [5, 5, 5, 9]
    assert check((rois, logits, differences), 100)[1] == 0


def test_nothing_is_sure_enough():
    given = outputs(5)
    assert check(given, threshold=1.0) == [0, 0]
    found = detect(*given, score_threshold=1.0)
    assert not any(value.any() for value in found.values())


def test_boxes_are_moved_into_the_image():
    rois, logits, differences = outputs(6)
    check((rois, logits, 40 * differences), 50)


def test_more_candidates_than_suppression_looks_at():
    given = outputs(7, regions=CANDIDATES // CLASSES + 60, spread=0.2)
    assert check(given, 40, threshold=0.0) == [40, 40]


def test_regions_may_be_known_at_run_time_only():
    rois, logits, differences = outputs(8)
    layer, sizes = Detections(20), np.array([SIZE] * 2, "float32")
    run = tf.function(
        lambda *x: layer(list(x)),
        input_signature=[
            tf.TensorSpec((None, 2)),
            tf.TensorSpec((None, None, 4)),
            tf.TensorSpec((None, CLASSES + 1)),
            tf.TensorSpec((None, 4 * CLASSES)),
        ],
    )
    found, expected = run(sizes, rois, logits, differences), detect(*outputs(8), count=20)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4)


def test_configurations():
    for layer in (BoxHead(3, 8, name="a"), Detections(7, 0.1, 0.4, name="b")):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    for make, argument in (
        (lambda **x: BoxHead(**{"classes": 1, "hidden": 1, **x}), "classes"),
        (lambda **x: BoxHead(**{"classes": 1, "hidden": 1, **x}), "hidden"),
        (Detections, "count"),
    ):
        with pytest.raises(ValueError, match=rf"`{argument}` must be a positive integer. .* 0"):
            make(**{argument: 0})
