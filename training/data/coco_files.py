"""Reads data sets of images with objects in COCO's JSON, as COCO and annotation tools write it."""

import collections
import json
import random
import typing

import numpy as np

from common.errors import SettingError
from training.data.coco_folders import annotation_files, find_image, image_folders
from training.data.folders import reasons
from training.data.run_lengths import runs_of

# What an annotation file must have: lists of dicts.
LISTS = ("images", "annotations", "categories")
LARGEST = 2.0**31  # of a number that is a place or an area, in pixels


class Objects(typing.NamedTuple):
    """The objects of an image.

    Attributes:
        path: Of the image; empty if there is no such file.
        name: The image's `file_name`.
        size: Height and width of the image, in pixels.
        boxes: float32 `[n, 4]`, `(x1, y1, x2, y2)` in pixels, within the image.
        labels: Indices of classes, int32 `[n]`.
        crowds: bool `[n]`: whether it is a region of several objects (COCO's `iscrowd`).
        areas: float32 `[n]`, in pixels, as annotated; those of the boxes where there are none.
        runs: Of the masks, one after the other, as `training.data.run_lengths.runs_of` gives
            them: int32 `[L]`, empty without masks.
    """

    path: str
    name: str
    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray
    crowds: np.ndarray
    areas: np.ndarray
    runs: np.ndarray


class Listing(typing.NamedTuple):
    """A data set.

    Attributes:
        splits: Lists of `Objects` for each split, or under `training.data.folders.UNSPLIT` alone,
            in a random order that is always the same.
        labels: Names of the classes, in the order of the categories' numbers.
        categories: These numbers.
        masks: Whether objects have masks.
        passed_over: A line for each reason why something is no part of it.
    """

    splits: dict[str, list[Objects]]
    labels: list[str]
    categories: list[int]
    masks: bool
    passed_over: list[str]


def list_coco(root):
    """Lists a data set.

    Args:
        root: A `pathlib.Path` of a folder, as `training.data.coco_folders` describes them, or of
            an annotation file, whose images are below its folder or beside that one.

    Returns:
        A `Listing`.

    Raises:
        SettingError: If there are no annotations, or they are not COCO's.
    """
    files = annotation_files(root)
    read = {path: _read(path) for paths in files.values() for path in paths}
    passed_over = collections.defaultdict(list)
    categories = _categories(read)
    places = {category: index for index, category in enumerate(categories)}
    segmented = any(
        annotation.get("segmentation")
        for content in read.values()
        for annotation in content["annotations"]
    )
    splits = {}
    for split, paths in files.items():
        splits[split] = [
            objects
            for path in paths
            for objects in _objects(path, root, read[path], places, segmented, passed_over)
        ]
        random.Random(split).shuffle(splits[split])  # neither TensorFlow nor NumPy: not the run's
    return Listing(
        splits, list(categories.values()), list(categories), segmented, reasons(passed_over)
    )


def _read(path):
    """The contents of an annotation file, a dict that has `LISTS`."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise SettingError(f"`dataset`: cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SettingError(f"`dataset`: {path} is no JSON: {error}") from error
    for name in LISTS:
        rows = content.get(name) if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise SettingError(f"`dataset`: {path} is not COCO's: `{name}` must be a list of dicts")
    return content


def _categories(read):
    """Names of the classes by number, in the order of the numbers, of dicts by path."""
    names = {}
    for path, content in read.items():
        for category in content["categories"]:
            number, name = category.get("id"), category.get("name")
            if type(number) is not int or not isinstance(name, str):
                raise SettingError(
                    f"`dataset`: {path}: a category must have an `id`, an integer, and a `name`. "
                    f"Received: {category}"
                )
            if names.setdefault(number, name) != name:
                raise SettingError(
                    f"`dataset`: the category {number} is {names[number]!r} and, in {path}, "
                    f"{name!r}"
                )
    used = {str(a.get("category_id")) for content in read.values() for a in content["annotations"]}
    parents = {
        str(category.get("supercategory"))
        for content in read.values()
        for category in content["categories"]
        if category["id"] != 0
    }
    # Roboflow's category 0 is the parent of the others, labelme2coco's is the background.
    if 0 in names and "0" not in used and names[0] in {*parents, "_background_"}:
        del names[0]
    return dict(sorted(names.items()))


def _objects(path, root, content, places, segmented, passed_over):
    """The images of an annotation file: a list of `Objects`."""
    folders = image_folders(path, root)
    images, of_image = {}, collections.defaultdict(list)
    for image in content["images"]:
        size = image.get("height"), image.get("width")
        if not isinstance(image.get("file_name"), str) or not all(_is_count(x) for x in size):
            passed_over["image without file_name, height or width"].append(f"{path}: {image}")
        elif type(image.get("id")) not in (int, str):
            passed_over["image whose id is neither an integer nor a text"].append(
                f"{path}: {image['file_name']}"
            )
        elif image["id"] in images:
            passed_over["image with the id of another one"].append(f"{path}: {image['file_name']}")
        else:
            images[image["id"]] = image
    for annotation in content["annotations"]:
        if _known(annotation.get("image_id"), images):
            of_image[annotation["image_id"]].append(annotation)
        else:
            passed_over["object of an unknown image"].append(_named(path, annotation))
    found = []
    for number, image in images.items():
        height, width = size = image["height"], image["width"]
        rows = []
        for annotation in of_image[number]:
            try:
                row, fault = _object(annotation, height, width, places, segmented)
                rows.append(row)
            except ValueError as error:
                fault = str(error)
            if fault is not None:
                passed_over[fault].append(_named(path, annotation))
        boxes, labels, crowds, areas, runs = zip(*rows, strict=True) if rows else [()] * 5
        found.append(
            Objects(
                find_image(image["file_name"], folders),
                image["file_name"],
                size,
                np.array(boxes, "float32").reshape(-1, 4),
                np.array(labels, "int32"),
                np.array(crowds, bool),
                np.array(areas, "float32"),
                np.concatenate([np.zeros(0, "int32"), *runs]),
            )
        )
    return found


def _object(annotation, height, width, places, segmented):
    """Reads an annotation.

    An object whose mask is faulty becomes a crowd: left out, it would be learned as background.

    Returns:
        Box, label, whether it is a crowd, area, and the mask's runs; and what is wrong with the
        mask, or None.

    Raises:
        ValueError: If it is no object; the text says why.
    """
    if not _known(annotation.get("category_id"), places):
        raise ValueError("object of an unknown category")
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        raise ValueError("object whose bbox is not four numbers")
    x, y, w, h = box
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if x2 <= x1 or y2 <= y1:
        raise ValueError("object whose bbox is empty or outside of its image")
    crowd, fault, runs = bool(annotation.get("iscrowd")), None, np.zeros(0, "int32")
    if segmented:
        try:
            runs = runs_of(annotation.get("segmentation"), height, width)
        except ValueError as error:
            crowd, fault = True, f"object with {error}"
            runs = runs_of([[x1, y1, x2, y1, x2, y2, x1, y2]], height, width)
    area = annotation.get("area")
    if not _is_finite(area) or area <= 0:
        area = (x2 - x1) * (y2 - y1)
    return ((x1, y1, x2, y2), places[annotation["category_id"]], crowd, area, runs), fault


def _known(number, numbers):
    """Whether a value of a JSON file, which may be a list, is among some numbers."""
    return isinstance(number, int | str) and number in numbers


def _named(path, annotation):
    return f"annotation {annotation.get('id')} of {path}"


def _is_count(value):
    return type(value) is int and value > 0


def _is_finite(value):
    return isinstance(value, int | float) and abs(value) < LARGEST
