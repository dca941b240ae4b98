"""Lists folders of labeled images, `ROOT/LABEL/*.jpg` or `ROOT/SPLIT/LABEL/*.jpg`, and all else."""

import collections
import os
import pathlib
import random
import typing

# What `tf.io.decode_image` reads, by name.
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
UNSPLIT = "all"


class Listing(typing.NamedTuple):
    """The images of a folder.

    Attributes:
        splits: For each split, `train`, `validation` and `test`, or `all` alone: paths and indices
            of classes, in a random order that is always the same.
        labels: Names of the folders that hold images, sorted.
        passed_over: A line for each reason why something there is no image of a class, with the
            number of files and folders and one of them.
    """

    splits: dict[str, list[tuple[str, int]]]
    labels: list[str]
    passed_over: list[str]


def list_images(root):
    """Lists the images of a folder.

    Args:
        root: A `pathlib.Path` of a folder. If its folders are called `train`, `validation` or
            `val`, and `test`, and the first is there, they are splits; if not, classes.

    Returns:
        A `Listing`.

    Raises:
        OSError: If a folder cannot be read.
    """
    passed_over = collections.defaultdict(list)
    folders = _folders(root, passed_over)
    is_split = "train" in (path.name for path in folders) and all(
        path.name in SPLIT_FOLDERS for path in folders
    )
    if is_split:
        classes = {SPLIT_FOLDERS[path.name]: _folders(path, passed_over) for path in folders}
        seeds = {SPLIT_FOLDERS[path.name]: path.name for path in folders}
    else:
        classes, seeds = {UNSPLIT: folders}, {UNSPLIT: UNSPLIT}
    found = {
        split: [(path, folder.name) for folder in folders for path in _images(folder, passed_over)]
        for split, folders in classes.items()
    }
    labels = sorted({label for images in found.values() for _, label in images})
    index = {label: place for place, label in enumerate(labels)}
    splits = {}
    for split, images in found.items():
        random.Random(seeds[split]).shuffle(images)  # neither TensorFlow nor NumPy: not the run's
        splits[split] = [(path, index[label]) for path, label in images]
    return Listing(splits, labels, reasons(passed_over))


def reasons(passed_over):
    """Lines about what was passed over: a dict of lists of paths, by the reason."""
    return [f"{len(paths)} {reason}, such as {paths[0]}" for reason, paths in passed_over.items()]


def passed_over_text(lines):
    """The end of an error, from lines of `reasons`; empty without any."""
    return "".join(f"; passed over: {line}" for line in lines)


def _folders(root, passed_over):
    """The folders in a folder, sorted."""
    folders = []
    for entry in entries(root, passed_over):
        if entry.is_dir():
            folders.append(pathlib.Path(entry.path))
        else:
            passed_over["outside the folder of a class"].append(entry.path)
    return folders


def _images(folder, passed_over):
    """Paths of the images in the folder of a class, sorted."""
    images = []
    for entry in entries(folder, passed_over):
        if entry.is_dir():
            passed_over["a folder in that of a class"].append(entry.path)
        elif entry.name.lower().endswith(SUFFIXES):
            images.append(entry.path)
        else:
            passed_over["not JPEG, PNG, GIF, BMP or WebP by name"].append(entry.path)
    if not images:
        passed_over["a folder without images"].append(str(folder))
    return images


def entries(folder, passed_over):
    """Gives the entries of a folder, sorted by name, without hidden ones.

    Args:
        folder: Its path.
        passed_over: Dict of lists, by a reason, to which the paths of hidden ones are added.

    Raises:
        OSError: If it cannot be read.
    """
    with os.scandir(folder) as found:
        found = sorted(found, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith("."):
            passed_over["hidden"].append(entry.path)
        else:
            yield entry
