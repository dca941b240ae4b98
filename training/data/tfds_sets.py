"""Data sets of TFDS: found, built by one run of several, and read with what they keep encoded."""

import contextlib
import errno
import io
import pathlib
import sys
import typing

import tensorflow as tf
import tensorflow_datasets as tfds

from common.errors import SettingError, WriteError
from common.locks import locked
from training.data.splits import SPLITS

UNLABELED = {"imagenet2012": {"test"}}
NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
NAME = "tfds_id"  # the feature that names an example


class Reading(typing.NamedTuple):
    """How a data set of TFDS is read.

    Attributes:
        instructions: TFDS' words for each of `training.data.splits.SPLITS`.
        counts: Number of examples in each of them.
        read: As in `training.data.sources.Source`.
    """

    instructions: dict[str, str]
    counts: dict[str, int]
    read: typing.Callable[..., tf.data.Dataset]


def find_builder(name, data_dir):
    """Finds the builder of a data set, of which nothing need be built yet.

    Args:
        name: Its name, as `tfds.builder` takes it.
        data_dir: Folder of TFDS data sets, or None for TFDS' own default.

    Raises:
        SettingError: If TFDS does not know it.
    """
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SettingError(f"`dataset`: TFDS knows no data set {name!r}: {reason}") from error


def prepare(builder):
    """Makes the files of a TFDS data set, unless they are there.

    Returns:
        A builder that knows the files: `builder`, or another one if another process made them.

    Raises:
        SettingError: If they cannot be made.
        WriteError: If they cannot be written.
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


def reading(builder, features, encoded):
    """Reads some features of a data set that is built.

    Args:
        builder: What `prepare` returns.
        features: Names of the features, in the order of the result. `NAME` names an example.
        encoded: Names of those features that stay encoded.

    Returns:
        A `Reading`, whose elements are tuples of the features.

    Raises:
        SettingError: If there is no split `train`.
    """
    available = builder.info.splits
    instructions = _choose_splits(set(available) - UNLABELED.get(builder.name, set()))

    def read(split, seed=None, shard=(0, 1)):
        index, count = shard
        by_file = 1 < count <= available[instructions[split].split("[")[0]].num_shards
        dataset = builder.as_dataset(
            split=instructions[split],
            shuffle_files=seed is not None,
            decoders={feature: tfds.decode.SkipDecoding() for feature in encoded},
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
        return dataset.map(lambda example: tuple(example[feature] for feature in features))

    counts = {split: available[instructions[split]].num_examples for split in SPLITS}
    return Reading(instructions, counts, read)


def _choose_splits(available):
    """TFDS instructions for the three splits, made of the labeled ones that a data set has."""
    if "train" not in available:
        raise SettingError(f"`dataset`: there is no split `train` with labels in {available}")
    held_out = [split for split in ("validation", "test") if split in available]
    if held_out:
        return {"train": "train", "validation": held_out[0], "test": held_out[-1]}
    return {"train": "train[:80%]", "validation": "train[80%:90%]", "test": "train[90%:]"}
