"""Lists folders of images and their masks, `ROOT/images` and `ROOT/masks` or those of splits."""

import collections
import os
import random
import typing

from training.data.folders import SPLIT_FOLDERS, SUFFIXES, UNSPLIT, entries, reasons

IMAGES, MASKS = "images", "masks"
CLASSES = "classes.txt"
MASK_SUFFIX = ".png"


class Pairs(typing.NamedTuple):
    """The images of a folder, and their masks.

    Attributes:
        splits: For each split, or under `training.data.folders.UNSPLIT` alone: paths of an image
            and of its mask, the latter empty if there is none, in a random order that is always the
            same.
        passed_over: A line for each reason why something there is no part of it, with the number of
            files and folders and one of them.
    """

    splits: dict[str, list[tuple[str, str]]]
    passed_over: list[str]


def list_masks(root):
    """Lists a folder that is laid out as `images` and `masks`, or as such folders for each split.

    Args:
        root: A `pathlib.Path` of a folder. It is split if it has no folder `images`, and then by
            folders called `train`, `validation` or `val`, and `test`.

    Returns:
        `Pairs`.

    Raises:
        OSError: If a folder is not there or cannot be read.
    """
    passed_over = collections.defaultdict(list)
    if (root / IMAGES).is_dir():
        known, folders = {IMAGES, MASKS, CLASSES}, {UNSPLIT: [root]}
    else:
        known, folders = {*SPLIT_FOLDERS, CLASSES}, {"train": []}
        for name, split in SPLIT_FOLDERS.items():
            if split == "train" or (root / name).is_dir():
                folders.setdefault(split, []).append(root / name)
    for entry in entries(root, passed_over):
        if entry.name not in known:
            passed_over["outside the folders of images and masks"].append(entry.path)
    places = {
        split: [(path / IMAGES, path / MASKS) for path in folders[split]] for split in folders
    }
    return _list_pairs(places, passed_over)


def list_annotations(root):
    """Lists a folder that is laid out as ADE20K's is, `images/training` and so on.

    Args:
        root: A `pathlib.Path` of the folder.

    Returns:
        `Pairs` of the splits `train` and `validation`.

    Raises:
        OSError: If a folder is not there or cannot be read.
    """
    names = {"train": "training", "validation": "validation"}
    places = {
        split: [(root / IMAGES / name, root / "annotations" / name)]
        for split, name in names.items()
    }
    return _list_pairs(places, collections.defaultdict(list))


def _list_pairs(places, passed_over):
    """Lists folders of images and of masks, some for each split."""
    splits = {}
    for split, folders in places.items():
        splits[split] = [pair for two in folders for pair in _pairs(*two, passed_over)]
        random.Random(split).shuffle(splits[split])  # neither TensorFlow nor NumPy: not the run's
    return Pairs(splits, reasons(passed_over))


def _pairs(images, masks, passed_over):
    """The images of a folder, each with its mask in another one, sorted."""
    images = _by_stem(images, SUFFIXES, "not JPEG, PNG, GIF, BMP or WebP by name", passed_over)
    masks = _by_stem(masks, (MASK_SUFFIX,), "a mask that is not PNG by name", passed_over)
    for stem, path in masks.items():
        if stem not in images:
            passed_over["a mask without an image"].append(path)
    return [(path, masks.get(stem, "")) for stem, path in images.items()]


def _by_stem(folder, suffixes, otherwise, passed_over):
    """Paths of the files of a folder by their name without suffix, sorted."""
    found = {}
    for entry in entries(folder, passed_over):
        stem = os.path.splitext(entry.name)[0]
        if entry.is_dir():
            passed_over["a folder among images or masks"].append(entry.path)
        elif not entry.name.lower().endswith(suffixes):
            passed_over[otherwise].append(entry.path)
        elif stem in found:
            passed_over["a second one of the same name but for its suffix"].append(entry.path)
        else:
            found[stem] = entry.path
    return found
