"""RoIAlign, against loops in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf.decoders import roi_align
from pale_tf.decoders.roi_align import RoIAlign, level_of
from tests.conftest import HAS_BFLOAT16
from tests.pale_tf.decoders import detector_oracle as oracle

LEVELS = ("P2", "P3", "P4", "P5")


def pyramid(seed, height=160, width=256, batch=2, channels=3):
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(batch, height // s, width // s, channels)).astype("float32")
        for s in (4, 8, 16, 32)
    ]


def regions(seed, count=10, size=(160, 256)):
    rng = np.random.default_rng(seed)
    begin = rng.uniform(-20, size, (count, 2))
    end = begin + rng.uniform(0, size, (count, 2))
    found = np.concatenate([begin[:, ::-1], end[:, ::-1]], -1)
    # Of no area, outside, the whole image, thin, tiny, larger than the image; and equal ones.
    odd = [
        *([9, 9, 9, 9], [0, 0, 0, 0], [-900, 0, -800, 50], [300, 200, 400, 280]),
        *(
            [0, 0, 256, 160],
            [0, 80, 256, 80.5],
            [5, 5, 5.1, 5.2],
            [-300, -300, 900, 700],
            [-90, -90, 260, 170],
        ),
        *([40, 30, 90, 70], [40, 30, 90, 70]),
    ]
    return np.concatenate([found, odd]).astype("float32")


def in_float64(maps):
    return {level: x.astype("float64") for level, x in zip(LEVELS, maps, strict=True)}


@pytest.mark.parametrize(
    ("bins", "part"), [(7, roi_align.PART), (2, roi_align.PART), (7, 4 * 49), (7, 1)]
)
def test_equals_the_oracle(bins, part, monkeypatch):
    """At once, four of 15 RoIs at once, and one by one."""
    monkeypatch.setattr(roi_align, "PART", part)
    maps = pyramid(0)
    rois = np.stack([regions(1), regions(2)])
    found = RoIAlign(bins)([rois, *maps])
    expected = [
        oracle.align(in_float64(maps), box, image, bins)
        for image in range(2)
        for box in rois[image].astype("float64")
    ]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("part", [roi_align.PART, 4 * 9])
def test_gradients_equal_the_oracle(part, monkeypatch):
    monkeypatch.setattr(roi_align, "PART", part)
    maps, rois, bins = pyramid(3), np.stack([regions(5), regions(6)]), 3
    layer, variables, boxes = RoIAlign(bins), [tf.Variable(x) for x in maps], tf.Variable(rois)
    with tf.GradientTape() as tape:
        outputs = layer([boxes, *variables])
        weights = np.random.default_rng(7).normal(size=outputs.shape).astype("float32")
        loss = tf.reduce_sum(outputs * weights)
    of_boxes, *found = tape.gradient(loss, [boxes, *variables])
    assert of_boxes is None
    expected = {level: np.zeros(x.shape) for level, x in zip(LEVELS, maps, strict=True)}
    for image, place in np.ndindex(rois.shape[:2]):
        gradient = weights[image * rois.shape[1] + place]
        box = rois[image, place].astype("float64")
        parts = oracle.align_gradients(in_float64(maps), box, image, bins, gradient)
        expected = {level: x + parts[level] for level, x in expected.items()}
    for level, gradient in zip(LEVELS, found, strict=True):
        assert expected[level].any()
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected[level], atol=1e-4)


def test_levels_are_those_of_the_areas():
    sides = np.array([0, 1, 111, 113, 223, 225, 447, 449, 4000], "float32")
    rois = np.stack([0 * sides, 0 * sides, sides, sides], -1)
    assert np.asarray(level_of(rois, 4)).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_sizes_may_be_known_at_run_time_only():
    maps, rois = pyramid(8, 96, 64), np.stack([regions(9), regions(10)])
    layer = RoIAlign(7)
    specs = [tf.TensorSpec((None, None, 4)), *[tf.TensorSpec((None, None, None, 3))] * 4]
    run = tf.function(lambda *x: layer(list(x)), input_signature=specs)
    np.testing.assert_allclose(run(rois, *maps), layer([rois, *maps]), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16])
def test_half_precision_does_not_move_the_boxes(policy):
    """Between 1,024 and 2,048, float16 knows whole pixels alone, and bfloat16 every eighth."""
    dtype = policy.removeprefix("mixed_")
    maps = pyramid(11, 64, 1920, 1)
    maps = [np.asarray(keras.ops.cast(keras.ops.cast(x, dtype), "float32")) for x in maps]
    rng = np.random.default_rng(12)
    begin = rng.uniform([1024, 0], [1850, 40], (20, 2))
    rois = np.concatenate([begin, begin + rng.uniform(4, 20, (20, 2))], -1)[None].astype("float32")
    layer = RoIAlign(7, dtype=policy)
    found = layer([rois, *maps])
    assert layer.compute_dtype == keras.backend.standardize_dtype(found.dtype) == dtype
    expected = RoIAlign(7)([rois, *maps])
    error = abs(keras.ops.cast(found, "float32") - expected)
    assert np.max(error) < {"float16": 0.01, "bfloat16": 0.1}[dtype]


def test_shapes_and_configuration():
    layer = RoIAlign(7, strides=(2, 4), name="align")
    assert RoIAlign.from_config(layer.get_config()).get_config() == layer.get_config()
    shapes = [(2, 5, 4), (2, 30, 20, 3), (2, 15, 10, 3)]
    assert layer.compute_output_shape(shapes) == (10, 7, 7, 3)
    assert layer.compute_output_shape([(None, 5, 4), *shapes[1:]]) == (None, 7, 7, 3)
    for bins in (0, 2.0):
        with pytest.raises(ValueError, match=r"`bins` must be a positive integer. Received"):
            RoIAlign(bins)
