"""Where images with masks come from: `masks:PATH`, `ade20k:PATH`, `tfds:NAME` and `digit_scenes`.

Images and masks stay encoded here, as in `training.data.sources`.
"""

import dataclasses
import functools
import os
import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from common.errors import SettingError
from common.labels import check_labels
from training.data.files import contents, make_read, openable
from training.data.folders import passed_over_text
from training.data.mask_folders import CLASSES, list_annotations, list_masks
from training.data.masks import IGNORED, MAX_CLASSES, NO_CLASS, mask_values
from training.data.sources import Source
from training.data.splits import SPLITS, three_splits
from training.data.tfds_sets import NAME, find_builder, prepare, reading

ADE20K, ADE20K_NAMES, ADE20K_CLASSES = "ADEChallengeData2016", "objectInfo150.txt", 150
# Classes of data sets of TFDS that do not say what their values mean: names, and classes by value.
KNOWN = {"oxford_iiit_pet": (["pet", "background"], {1: 0, 2: 1, 3: IGNORED})}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskSource(Source):
    """A data set of images with a class for each pixel.

    `read` gives encoded images (string), encoded masks (string) and names (string). An image that
    has no mask, or one that may not be read, comes with an empty one.

    Attributes:
        table: int32 array by the value of a mask's pixel, as `training.data.masks.decode_mask`
            takes it.
    """

    table: np.ndarray


def open_mask_source(name, data_dir=None):
    """Finds a data set of images with masks, and builds it first if need be.

    Args:
        name: `masks:PATH` (`PATH/images/*.jpg` with `PATH/masks/*.png` of the same names, or the
            same in `PATH/{train,validation,test}`; `PATH/classes.txt` names the classes by value,
            a line each), `ade20k:PATH` (the folder that ADE20K's scene parsing unpacks to, or the
            one around it), `tfds:NAME` or `digit_scenes`. Without names, the values that are found
            in the masks are the classes; `IGNORED` never is one.
        data_dir: Folder of TFDS data sets, or None for TFDS' own default.

    Returns:
        A `MaskSource`.

    Raises:
        SettingError: If there is no such data set, it cannot be made, or its classes are fewer than
            two, more than `MAX_CLASSES`, or not named by different lines of text.
        WriteError: If the files of a data set cannot be written.
    """
    source = _open(name, data_dir)
    labels = source.labels
    check_labels(labels, "`dataset`")
    if not 2 <= len(labels) <= MAX_CLASSES:
        hint = ""
        if len(labels) < 2:
            hint = f"; masks of 0 and {IGNORED} have one class, for {IGNORED} is ignored"
        raise SettingError(
            f"`dataset`: masks must have 2 to {MAX_CLASSES} classes. Received: {name!r} with "
            f"{len(labels)}, {labels[:2]}{hint}{passed_over_text(source.passed_over)}"
        )
    twice = [label for place, label in enumerate(labels) if label in labels[:place]]
    if twice:
        raise SettingError(
            f"`dataset`: the names of classes must differ. Received: {twice[0]!r} twice in {name!r}"
        )
    return source


def _open(name, data_dir):
    kind, _, argument = name.partition(":")
    if name == "digit_scenes":
        return _open_tfds(name, data_dir)
    if kind == "tfds" and argument:
        return _open_tfds(argument, data_dir)
    if kind == "masks" and argument:
        return _open_masks(pathlib.Path(argument).expanduser())
    if kind == "ade20k" and argument:
        return _open_ade20k(pathlib.Path(argument).expanduser())
    raise SettingError(
        f"`dataset` must be digit_scenes, masks:PATH, ade20k:PATH or tfds:NAME. Received: {name!r}"
    )


def _open_masks(root):
    layout = f"{root}/images/*.jpg with {root}/masks/*.png, or {root}/train/images/*.jpg and so on"
    splits, passed_over = _splits(root, list_masks, layout)
    if (root / CLASSES).exists():
        lines = _read_lines(root / CLASSES)
        labels, classes = lines, {value: value for value in range(len(lines))}
    else:
        masks = {mask for pairs in splits.values() for _, mask in pairs if mask}
        paths = tf.constant(sorted(filter(None, map(openable, masks))), tf.string)
        encoded = tf.data.Dataset.from_tensor_slices(paths)
        encoded = encoded.map(contents, num_parallel_calls=tf.data.AUTOTUNE)
        labels, classes = _find_classes(encoded, f"{len(masks)} masks of {root}")
    return _file_source(splits, passed_over, labels, classes)


def _open_ade20k(root):
    if (root / ADE20K).is_dir():
        root = root / ADE20K
    layout = f"{root}/images/training, {root}/annotations/training, and the same of validation"
    splits, passed_over = _splits(root, list_annotations, layout)
    classes = {0: IGNORED, **{value: value - 1 for value in range(1, ADE20K_CLASSES + 1)}}
    return _file_source(splits, passed_over, _ade20k_labels(root / ADE20K_NAMES), classes)


def _ade20k_labels(path):
    """The names of ADE20K's classes: the first one of each, and its number if another has it."""
    numbers = [str(number) for number in range(1, ADE20K_CLASSES + 1)]
    if not path.exists():
        return numbers
    rows = [line.split("\t") for line in _read_lines(path)[1:]]
    if [row[0].strip() for row in rows] != numbers or any(len(row) < 2 for row in rows):
        raise SettingError(
            f"`dataset`: {path} must have a heading and {ADE20K_CLASSES} rows of columns between "
            f"tabs, numbered in the first one and named in the last one. Received: {len(rows)} rows"
        )
    names = [row[-1].replace(";", ",").split(",")[0].strip() for row in rows]
    return [
        f"{name} ({number})" if name in names[: int(number) - 1] else name
        for name, number in zip(names, numbers, strict=True)
    ]


def _splits(root, list_pairs, layout):
    """The three splits of a folder, none of them empty, and lines on what was passed over."""
    if not root.is_dir():
        raise SettingError(f"`dataset`: there is no folder {root}")
    try:
        found, passed_over = list_pairs(root)
    except OSError as error:
        raise SettingError(f"`dataset`: cannot read {root}: {error}; expected {layout}") from error
    splits = _three_splits(found)
    for split, pairs in splits.items():
        if pairs and not any(mask for _, mask in pairs):
            raise SettingError(
                f"`dataset`: no image of {split} has a mask of the same name, such as that of "
                f"{pairs[0][0]}; expected {layout}{passed_over_text(passed_over)}"
            )
    empty = [split for split in SPLITS if not splits[split]]
    if empty:
        count = sum(map(len, found.values()))
        raise SettingError(
            f"`dataset`: no images for {empty[0]} in {root}; expected at least 3 images with "
            f"masks, as {layout}. Received: {count} images{passed_over_text(passed_over)}"
        )
    return splits, passed_over


def _three_splits(found):
    """As `three_splits`. Where nobody split them, images without a mask are not held out."""
    if len(found) > 1:
        return three_splits(found)
    ((name, pairs),) = found.items()
    splits = three_splits({name: [pair for pair in pairs if pair[1]]})
    splits["train"] += [pair for pair in pairs if not pair[1]]
    return splits


def _read_lines(path):
    """The lines of a text file, without blanks around them."""
    try:
        # What is no UTF-8 is refused as the name of a class.
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise SettingError(f"`dataset`: cannot read {path}: {error.strerror}") from error
    return [line.strip() for line in text.rstrip().split("\n")]


def _file_source(splits, passed_over, labels, classes):
    read = make_read(
        splits,
        row=lambda pair: (*map(openable, pair), os.fsencode(pair[0])),
        load=lambda image, mask, name: (contents(image), contents(mask), name),
    )
    counts = {split: len(splits[split]) for split in SPLITS}
    return MaskSource(labels, counts, read, tuple(passed_over), table=_make_table(classes))


def _open_tfds(name, data_dir):
    builder = find_builder(name, data_dir)
    features = dict(builder.info.features)
    for feature in ("image", "segmentation_mask"):
        if not isinstance(features.get(feature), tfds.features.Image):
            raise SettingError(f"`dataset`: {name!r} has no `image` with a `segmentation_mask`")
    builder = prepare(builder)
    encoded = ("image", "segmentation_mask")
    instructions, counts, read = reading(builder, (*encoded, NAME), encoded)
    names = (builder.info.metadata or {}).get("segmentation_classes")
    if names:
        labels, classes = list(names), {value: value for value in range(len(names))}
    elif builder.name in KNOWN:
        labels, classes = KNOWN[builder.name]
    else:
        once = {instructions[split]: read(split) for split in SPLITS}
        examples = functools.reduce(tf.data.Dataset.concatenate, once.values())
        masks = examples.map(lambda image, mask, name: mask)
        labels, classes = _find_classes(masks, f"masks of {name}")
    return MaskSource(labels, counts, read, table=_make_table(classes))


def _find_classes(masks, description):
    """Reads all masks, a data set of encoded ones, for the values that are their classes.

    Returns:
        Names of the classes, which are the values, and classes by value.
    """
    print(f"reading the {description} to find their classes", flush=True)

    def values_of(encoded):
        values, readable = mask_values(encoded)
        found = tf.where(tf.math.bincount(tf.reshape(values, [-1])) > 0)[:, 0]
        return found[: tf.where(readable, tf.size(found), 0)]

    found = masks.map(values_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    values = {int(value) for some in found.as_numpy_iterator() for value in some} - {IGNORED}
    values = sorted(values)
    return list(map(str, values)), {value: index for index, value in enumerate(values)}


def _make_table(classes):
    """The table of `training.data.masks.decode_mask`, from a dict of classes by value."""
    classes = {**classes, IGNORED: IGNORED}
    table = np.full(max(classes) + 1, NO_CLASS, "int32")
    table[list(classes)] = list(classes.values())
    return table
