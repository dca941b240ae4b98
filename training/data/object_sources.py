"""Where images with objects come from: `coco:PATH`, `tfds:NAME` and `digit_scenes`.

Images stay encoded here, as in `training.data.sources`. Boxes and masks are numbers.
"""

import dataclasses
import os
import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from common.errors import SettingError
from common.labels import check_labels
from training.data.coco_files import list_coco
from training.data.files import contents, make_read, openable
from training.data.folders import passed_over_text
from training.data.run_lengths import flips_of_instances, flips_of_runs
from training.data.sources import Source
from training.data.splits import SPLITS, three_splits
from training.data.tfds_sets import NAME, find_builder, prepare, reading


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectSource(Source):
    """A data set of images with objects.

    `read` gives encoded images (string), a dict of the objects of each, and names (string):

    - `boxes`: float32 `[n, 4]`, `(x1, y1, x2, y2)` in parts of the image, within 0..1.
    - `labels`: int32 `[n]`; `crowds`: bool `[n]`, whether it is a region of several objects.
    - `areas`: float32 `[n]`, in pixels of the image; -1 if that of the box has to do.
    - `size`: height and width of the image as its masks know it, int32 `[2]`; 0 if unknown.
    - `flips`: of the masks, int64 `[F]`: see `training.data.run_lengths`.

    Attributes:
        masks: Whether the objects have masks.
        categories: Numbers of the classes in the data set's own annotations, for result files.
    """

    masks: bool
    categories: tuple[int, ...]


def open_object_source(name, data_dir=None):
    """Finds a data set of images with objects, and builds it first if need be.

    Args:
        name: `coco:PATH` (a folder or an annotation file, as `training.data.coco_folders` describes
            them), `tfds:NAME` (with a feature `objects` of `bbox` and `label`) or `digit_scenes`.
        data_dir: Folder of TFDS data sets, or None for TFDS' own default.

    Returns:
        An `ObjectSource`.

    Raises:
        SettingError: If there is no such data set, it cannot be made, has no class or no object.
        WriteError: If the files of a data set cannot be written.
    """
    source = _open(name, data_dir)
    check_labels(source.labels, "`dataset`")
    if not source.labels:
        raise SettingError(
            f"`dataset`: objects must have one class at least. Received: {name!r} without any"
        )
    return source


def _open(name, data_dir):
    kind, _, argument = name.partition(":")
    if name == "digit_scenes":
        return _open_tfds(name, data_dir)
    if kind == "tfds" and argument:
        return _open_tfds(argument, data_dir)
    if kind == "coco" and argument:
        return _open_coco(pathlib.Path(argument).expanduser())
    raise SettingError(
        f"`dataset` must be digit_scenes, coco:PATH or tfds:NAME. Received: {name!r}"
    )


def _open_coco(root):
    if not root.exists():
        raise SettingError(
            f"`dataset`: there is no {root}; expected coco:PATH, a folder or a file of annotations"
        )
    try:
        found, labels, categories, masks, passed_over = list_coco(root)
    except OSError as error:
        raise SettingError(f"`dataset`: cannot read {root}: {error}") from error
    splits = three_splits(found)
    for split in SPLITS:
        if not any(len(objects.labels) for objects in splits[split]):
            raise SettingError(
                f"`dataset`: no image of {split} in {root} has an object. Received: "
                f"{len(splits[split])} images{passed_over_text(passed_over)}"
            )

    def row(image):
        height, width = image.size
        boxes = image.boxes / np.array([width, height] * 2, "float32")
        arrays = (boxes, image.labels, image.crowds, image.areas, image.runs)
        return (
            openable(image.path),
            *(array.tobytes() for array in arrays),
            height,
            width,
            os.fsencode(image.path or image.name),
        )

    def load(path, boxes, labels, crowds, areas, runs, height, width, name):
        objects = {
            "boxes": tf.reshape(tf.io.decode_raw(boxes, tf.float32), (-1, 4)),
            "labels": tf.io.decode_raw(labels, tf.int32),
            "crowds": tf.cast(tf.io.decode_raw(crowds, tf.uint8), tf.bool),
            "areas": tf.io.decode_raw(areas, tf.float32),
            "size": tf.stack([height, width]),
            "flips": flips_of_runs(
                tf.io.decode_raw(runs, tf.int32), tf.cast(height * width, tf.int64)
            ),
        }
        return contents(path), objects, name

    counts = {split: len(splits[split]) for split in SPLITS}
    read = make_read(splits, row, load)
    return ObjectSource(
        labels, counts, read, tuple(passed_over), masks=masks, categories=tuple(categories)
    )


def _open_tfds(name, data_dir):
    builder = find_builder(name, data_dir)
    features = dict(builder.info.features)
    objects = dict(getattr(features.get("objects"), "feature", {}))
    if (
        not isinstance(features.get("image"), tfds.features.Image)
        or not isinstance(objects.get("bbox"), tfds.features.BBoxFeature)
        or not isinstance(objects.get("label"), tfds.features.ClassLabel)
    ):
        raise SettingError(
            f"`dataset`: {name!r} has no `image` with `objects`, each with a `bbox` and a `label`"
        )
    builder = prepare(builder)
    masks = isinstance(features.get("instance_mask"), tfds.features.Image)
    names = ("image", "objects", *(["instance_mask"] if masks else []), NAME)
    _, counts, read = reading(builder, names, encoded=("image",))

    def load(image, objects, *rest):
        *instances, name = rest
        labels = tf.cast(objects["label"], tf.int32)
        count, size, flips = tf.size(labels), tf.zeros(2, tf.int32), tf.zeros(0, tf.int64)
        areas = tf.cast(objects.get("area", tf.fill(tf.shape(labels), -1)), tf.float32)
        for mask in instances:
            size, flips = tf.shape(mask)[:2], flips_of_instances(mask[..., 0], count)
            pixels = tf.cast(tf.reshape(mask, [-1]), tf.int32)
            areas = tf.math.bincount(pixels, minlength=count + 1, maxlength=count + 1)[1:]
            areas = tf.cast(areas, tf.float32)
        crowds = objects.get("is_crowd", tf.zeros(count, tf.bool))
        boxes = tf.gather(objects["bbox"], [1, 0, 3, 2], axis=1)  # TFDS has y first
        found = {
            "boxes": boxes,
            "labels": labels,
            "crowds": crowds,
            "areas": areas,
            "size": size,
            "flips": flips,
        }
        return image, found, name

    def read_objects(split, seed=None, shard=(0, 1)):
        return read(split, seed, shard).map(load, num_parallel_calls=tf.data.AUTOTUNE)

    labels = objects["label"].names
    return ObjectSource(
        labels, counts, read_objects, masks=masks, categories=tuple(range(1, len(labels) + 1))
    )
