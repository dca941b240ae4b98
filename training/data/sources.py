"""Where images come from: `digits`, `imagenet2012`, `folder:PATH` and `tfds:NAME`.

Images stay encoded here, so that shuffling and skipping move a few kilobytes each.
"""

import collections
import contextlib
import dataclasses
import errno
import io
import os
import pathlib
import sys
import typing

import tensorflow as tf
import tensorflow_datasets as tfds

# These two register their builders.
import training.datasets.digits
import training.datasets.long_range  # noqa: F401
from common.errors import SettingError, WriteError
from common.labels import check_labels
from common.locks import locked
from training.data.folders import list_images

SPLITS = ("train", "validation", "test")
HELD_OUT = 10  # one in so many images is validated on, and one tested on, where nobody split them
UNLABELED = {"imagenet2012": {"test"}}
NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
FEATURES = ("image", "label", "tfds_id")


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
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SettingError(f"`dataset`: TFDS knows no data set {name!r}: {reason}") from error
    features = dict(builder.info.features)
    if "image" not in features or not isinstance(features.get("label"), tfds.features.ClassLabel):
        raise SettingError(f"`dataset`: {name!r} has no `image` with a `label` that is a class")
    builder = _prepare(builder)
    available = builder.info.splits
    instructions = _choose_splits(set(available) - UNLABELED.get(builder.name, set()))

    def read(split, seed=None, shard=(0, 1)):
        index, count = shard
        by_file = 1 < count <= available[instructions[split].split("[")[0]].num_shards
        dataset = builder.as_dataset(
            split=instructions[split],
            shuffle_files=seed is not None,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(
                add_tfds_id=True,
                shuffle_seed=seed,
                # An in-memory cache ends early now and then under MirroredStrategy (TF 2.21).
                try_autocache=False,
                input_context=tf.distribute.InputContext(count, index) if by_file else None,
            ),
        )
        if count > 1 and not by_file:
            dataset = dataset.shard(count, index)
        return dataset.map(lambda example: tuple(example[name] for name in FEATURES))

    counts = {split: available[instructions[split]].num_examples for split in SPLITS}
    return Source(builder.info.features["label"].names, counts, read)


def _prepare(builder):
    """Makes the files of a TFDS data set, unless they are there.

    Returns:
        A builder that knows the files: `builder`, or another one if another process made them.
    """
    if builder.data_path.exists():
        return builder
    print(
        f"making the data set {builder.info.full_name} in {builder.data_dir}, or waiting for the "
        "process that makes it",
        flush=True,
    )
    folder = pathlib.Path(builder._data_dir_root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make the folder {folder}: {error.strerror}") from error
    # Of two runs that need it, one makes it. The name is not that of the data set's folder, whose
    # lock is another one once it is there.
    with locked(folder / f"{builder.name}.build"):
        if builder.data_path.exists():
            return tfds.builder_from_directory(builder.data_path)
        _download_and_prepare(builder)
    return builder


def _download_and_prepare(builder):
    """Builds a TFDS data set; its errors in one line each."""
    # TFDS' bars break the lines of a log, and tell nothing where there is nothing to download.
    shown = tfds.enable_progress_bar if _downloads(builder) else tfds.disable_progress_bar
    shown()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare()
    except AssertionError as error:  # TFDS' way to ask for files that it cannot download
        manual = pathlib.Path(builder._data_dir_root, "downloads", "manual")
        files = "the files that TFDS' catalog names for it"
        if builder.name == "imagenet2012":
            files = "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, from image-net.org"
        raise SettingError(
            f"`dataset`: {builder.name} cannot be downloaded; put {files}, into {manual}"
        ) from error
    except (OSError, tf.errors.OpError, tfds.download.DownloadError) as error:
        reason = " ".join(str(error).split())
        full = isinstance(error, tf.errors.ResourceExhaustedError)  # how TensorFlow says ENOSPC
        if full or getattr(error, "errno", None) in NOT_WRITABLE:
            raise WriteError(f"cannot write {builder.data_dir}: {reason}") from error
        raise SettingError(f"`dataset`: cannot make {builder.name}: {reason}") from error


def _downloads(builder):
    """Whether a terminal shows how TFDS downloads a data set."""
    return sys.stderr.isatty() and bool(builder.info.download_size)


def _choose_splits(available):
    """TFDS instructions for the three splits, made of the labeled ones that a data set has."""
    if "train" not in available:
        raise SettingError(f"`dataset`: there is no split `train` with labels in {available}")
    held_out = [split for split in ("validation", "test") if split in available]
    if held_out:
        return {"train": "train", "validation": held_out[0], "test": held_out[-1]}
    return {"train": "train[:80%]", "validation": "train[80%:90%]", "test": "train[90%:]"}


def _open_folder(root):
    if not root.is_dir():
        raise SettingError(f"`dataset`: there is no folder {root}")
    try:
        found, labels, passed_over = list_images(root)
    except OSError as error:
        raise SettingError(f"`dataset`: cannot read {root}: {error}") from error
    splits = found if len(found) > 1 else _hold_out(*found.values())
    splits.setdefault("validation", splits.get("test"))
    splits.setdefault("test", splits["validation"])
    empty = [split for split in SPLITS if not splits[split]]
    others = f"; passed over: {'; '.join(passed_over)}" if passed_over else ""
    if empty:
        raise SettingError(
            f"`dataset`: no images for {empty[0]} in {root}; expected {root}/LABEL/*.jpg or "
            f"{root}/train/LABEL/*.jpg{others}"
        )

    def load(path, label, there):
        # What may not be read counts as an image that cannot be decoded.
        encoded = tf.cond(there, lambda: tf.io.read_file(path), lambda: tf.constant(b""))
        return encoded, tf.cast(label, tf.int64), path

    def read(split, seed=None, shard=(0, 1)):
        paths, classes = map(list, zip(*splits[split], strict=True))
        there = [os.access(path, os.R_OK) for path in paths]
        names = [os.fsencode(path) for path in paths]  # which need not be text
        dataset = tf.data.Dataset.from_tensor_slices((names, classes, there))
        if seed is not None:
            dataset = dataset.shuffle(len(paths), seed=seed)
        dataset = dataset.shard(shard[1], shard[0])
        return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)

    counts = {split: len(splits[split]) for split in SPLITS}
    return Source(labels, counts, read, tuple(passed_over))


def _hold_out(examples):
    """Splits examples by class: of every `HELD_OUT`, one for validation and one for the test."""
    splits = {split: [] for split in SPLITS}
    seen = collections.Counter()
    for path, label in examples:
        turn = seen[label] % HELD_OUT
        splits["validation" if turn == 1 else "test" if turn == 2 else "train"].append(
            (path, label)
        )
        seen[label] += 1
    return splits
