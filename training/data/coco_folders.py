"""Finds the files of data sets in COCO's JSON, as COCO and annotation tools lay them out.

| written by | annotations | images, by `file_name` |
|---|---|---|
| COCO | `annotations/instances_train2017.json`, and of `val2017` | `train2017`, `val2017` |
| CVAT | `annotations/instances_SUBSET.json`, such as `default` | `images`, `images/SUBSET` |
| Label Studio | `result.json` | the folder itself; names begin with `images/` |
| Roboflow | `train/_annotations.coco.json`, and of `valid` and `test` | beside the annotations |
| labelme2coco | `annotations.json` | `JPEGImages`, or names begin with it |
"""

import collections
import os
import pathlib
import re

from common.errors import SettingError
from training.data.folders import SPLIT_FOLDERS, UNSPLIT

FOLDERS = {**SPLIT_FOLDERS, "valid": "validation"}
IMAGE_FOLDERS = ("images", "JPEGImages")


def annotation_files(root):
    """The annotation files of a data set: lists of paths by split.

    Args:
        root: A `pathlib.Path` of a folder, or of the only annotation file.

    Raises:
        SettingError: If there is none.
    """
    if root.is_file():
        return {UNSPLIT: [root]}
    found = collections.defaultdict(list)
    for name, split in FOLDERS.items():  # Roboflow
        found[split].extend(sorted((root / name).glob("*.json")))
    if not found["train"]:
        found.clear()
        for path in sorted((root / "annotations").glob("instances_*.json")):
            found[_split_of(path.stem.removeprefix("instances_"))].append(path)
    if not any(found.values()):
        found[UNSPLIT] = sorted(root.glob("*.json"))
        if len(found[UNSPLIT]) > 1:
            names = ", ".join(path.name for path in found[UNSPLIT])
            raise SettingError(
                f"`dataset`: {root} must have one file of annotations; give its path. Received: "
                f"{names}"
            )
    found = {split: paths for split, paths in found.items() if paths}
    if len(found) > 1 and UNSPLIT in found:
        raise SettingError(
            f"`dataset`: {found[UNSPLIT][0]} is of no split; expected names of {', '.join(FOLDERS)}"
        )
    if not found:
        raise SettingError(
            f"`dataset`: no annotations of COCO in {root}; expected {root}/annotations/"
            f"instances_*.json, {root}/train/_annotations.coco.json or {root}/*.json"
        )
    if len(found) > 1 and "train" not in found:
        names = ", ".join(str(path) for paths in found.values() for path in paths)
        raise SettingError(f"`dataset`: no annotations for train in {root}. Received: {names}")
    return found


def _split_of(name):
    """The split of a subset's name, such as `train2017`; `UNSPLIT` for any other name."""
    return FOLDERS.get(re.sub(r"[\W\d_]+$", "", name).lower(), UNSPLIT)


def image_folders(path, root):
    """Folders in which the images of an annotation file may be, the likeliest first."""
    top = path.parent if root.is_file() else root
    if top.name == "annotations":
        top = top.parent
    subset = path.stem.removeprefix("instances_")
    inner = [path.parent, top / subset, *(top / name / subset for name in IMAGE_FOLDERS)]
    return [*inner, *(top / name for name in IMAGE_FOLDERS), top]


def find_image(name, folders):
    """The path of an image; empty if it is in none of the folders."""
    name = pathlib.PurePosixPath(name.replace("\\", "/"))  # as written on Windows
    if name.is_absolute() or ".." in name.parts:
        return ""
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    return ""
