"""Where images come from: `digits`, `imagenet2012`, `folder:PATH` and `tfds:NAME`.

Images stay encoded here, so that shuffling and skipping move a few kilobytes each.
"""

import dataclasses
import os
import pathlib
import typing

import tensorflow as tf
import tensorflow_datasets as tfds

# These register their builders.
import training.datasets.digit_scenes
import training.datasets.digits
import training.datasets.long_range  # noqa: F401
from common.errors import SettingError
from common.labels import check_labels
from training.data.files import contents, make_read, openable
from training.data.folders import list_images, passed_over_text
from training.data.splits import SPLITS, three_splits
from training.data.tfds_sets import NAME, find_builder, prepare, reading


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set of labeled images.

    Attributes:
        labels: Names of the classes.
        counts: Number of images in each of the splits `train`, `validation` and `test`.
        read: `read(split, seed=None, shard=(0, 1))` gives a `tf.data.Dataset` of encoded images
            (string), integer labels and names (string). With a seed, files are in an order that the
            seed decides. `shard=(index, count)` is the part of worker `index` of `count`.
        passed_over: Lines on the files that are no part of it.
    """

    labels: list[str]
    counts: dict[str, int]
    read: typing.Callable[..., tf.data.Dataset]
    passed_over: tuple[str, ...] = ()


def open_source(name, data_dir=None):
    """Finds a data set, and builds it first if need be.

    Args:
        name: `digits`, `imagenet2012`, `folder:PATH` (`PATH/LABEL/*.jpg` or
            `PATH/{train,validation,test}/LABEL/*.jpg`) or `tfds:NAME`.
        data_dir: Folder of TFDS data sets, or None for TFDS' own default.

    Returns:
        A `Source`.

    Raises:
        SettingError: If there is no such data set, it cannot be made, or the name of a class is no
            line of text.
        WriteError: If the files of a data set cannot be written.
    """
    source = _open(name, data_dir)
    check_labels(source.labels, "`dataset`")
    return source


def _open(name, data_dir):
    kind, _, argument = name.partition(":")
    if name in ("digits", "imagenet2012"):
        return _open_tfds(name, data_dir)
    if kind == "tfds" and argument:
        return _open_tfds(argument, data_dir)
    if kind == "folder" and argument:
        return _open_folder(pathlib.Path(argument).expanduser())
    raise SettingError(
        f"`dataset` must be digits, imagenet2012, folder:PATH or tfds:NAME. Received: {name!r}"
    )


def _open_tfds(name, data_dir):
    builder = find_builder(name, data_dir)
    features = dict(builder.info.features)
    if "image" not in features or not isinstance(features.get("label"), tfds.features.ClassLabel):
        raise SettingError(f"`dataset`: {name!r} has no `image` with a `label` that is a class")
    builder = prepare(builder)
    _, counts, read = reading(builder, ("image", "label", NAME), encoded=("image",))
    return Source(builder.info.features["label"].names, counts, read)


def _open_folder(root):
    if not root.is_dir():
        raise SettingError(f"`dataset`: there is no folder {root}")
    try:
        found, labels, passed_over = list_images(root)
    except OSError as error:
        raise SettingError(f"`dataset`: cannot read {root}: {error}") from error
    splits = three_splits(found, group=lambda example: example[1])
    empty = [split for split in SPLITS if not splits[split]]
    if empty:
        raise SettingError(
            f"`dataset`: no images for {empty[0]} in {root}; expected {root}/LABEL/*.jpg or "
            f"{root}/train/LABEL/*.jpg{passed_over_text(passed_over)}"
        )

    read = make_read(
        splits,
        row=lambda example: (openable(example[0]), example[1], os.fsencode(example[0])),
        load=lambda path, label, name: (contents(path), tf.cast(label, tf.int64), name),
    )
    counts = {split: len(splits[split]) for split in SPLITS}
    return Source(labels, counts, read, tuple(passed_over))
