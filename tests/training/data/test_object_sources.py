"""Images with objects, as the files of COCO and of annotation tools have them."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from common.errors import SettingError
from tests.training.coco_folder import LAYOUTS, bounds, photograph, size_of
from training.data.object_sources import open_object_source
from training.data.run_lengths import is_inside
from training.data.splits import SPLITS
from training.datasets.digit_scenes import digit_scenes_dataset_builder


def drawn(objects):
    """The masks of an example, bool `[n, H, W]`."""
    height, width = objects["size"].numpy()
    count = len(objects["labels"])
    places = np.arange(height * width).reshape(width, height).T.ravel()
    inside = is_inside(
        objects["flips"],
        tf.constant(height * width, tf.int64),
        tf.range(count),
        tf.constant(np.tile(places, (count, 1)), tf.int64),
    )
    return inside.numpy().reshape(count, height, width)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, tmp_path):
    LAYOUTS[layout](tmp_path)
    source = open_object_source(f"coco:{tmp_path}")
    assert source.labels == ["disc", "box"]
    assert source.masks == (layout != "label_studio")
    assert source.passed_over == ()
    seen = set()
    for split in SPLITS:
        examples = list(source.read(split))
        assert len(examples) == source.counts[split] > 0
        for encoded, objects, name in examples:
            index = int(name.numpy().decode().rpartition("/")[2].removesuffix(".jpg"))
            seen.add(index)
            high, wide = size_of(index)
            assert tf.io.decode_image(encoded).shape == (high, wide, 3)
            order = np.argsort(objects["labels"])
            _, masks = photograph(index)
            boxes = objects["boxes"].numpy() * [wide, high, wide, high]
            x, y, width, height = np.transpose([bounds(mask) for mask in masks])
            expected = np.stack([x, y, x + width, y + height], axis=1)
            np.testing.assert_allclose(boxes[order], expected, atol=1e-4)
            assert not objects["crowds"].numpy().any()
            if layout == "cvat":
                np.testing.assert_array_equal(drawn(objects)[order], masks)
            elif source.masks:  # a polygon around the box
                assert drawn(objects).sum(axis=(1, 2))[order].tolist() == (width * height).tolist()
    assert seen == set(range({"coco": 16, "roboflow": 15}.get(layout, 20)))


def test_a_single_file(tmp_path):
    LAYOUTS["coco"](tmp_path)
    source = open_object_source(f"coco:{tmp_path}/annotations/instances_train2017.json")
    assert source.counts == {"train": 9, "validation": 2, "test": 1}
    assert all(len(encoded.numpy()) for encoded, _, _ in source.read("train"))
    assert source.categories == (3, 7)


def test_no_annotations(tmp_path):
    with pytest.raises(SettingError, match="no annotations of COCO"):
        open_object_source(f"coco:{tmp_path}")
    with pytest.raises(SettingError, match="there is no"):
        open_object_source(f"coco:{tmp_path}/none")
    with pytest.raises(SettingError, match=r"must be digit_scenes, coco:PATH or tfds:NAME"):
        open_object_source("folder:x")


def test_digit_scenes(tmp_path, monkeypatch):
    counts = {"train": 6, "validation": 3, "test": 3}
    monkeypatch.setattr(digit_scenes_dataset_builder, "SCENES", counts)
    source = open_object_source("digit_scenes", tmp_path)
    assert (source.masks, source.labels, source.counts) == (True, list("0123456789"), counts)
    builder = tfds.builder("digit_scenes", data_dir=tmp_path)
    for split in SPLITS:
        known = tfds.as_numpy(builder.as_dataset(split=split))
        for example, (_, objects, _) in zip(known, source.read(split), strict=True):
            numbers = np.arange(1, len(objects["labels"]) + 1)[:, None, None]
            masks = example["instance_mask"][..., 0] == numbers
            np.testing.assert_array_equal(drawn(objects), masks)
            np.testing.assert_array_equal(objects["labels"], example["objects"]["label"])
            for box, mask in zip(objects["boxes"].numpy() * 96, masks, strict=True):
                x, y, width, height = bounds(mask)
                np.testing.assert_allclose(box, [x, y, x + width, y + height], atol=1e-4)
