"""Data sets of images with objects, laid out and worded as COCO and annotation tools do."""

import json

import numpy as np
from PIL import Image

NAMES = ("disc", "box")
SIZES = ((48, 64), (60, 54))  # height and width of the photographs, in turns


def size_of(index):
    """Height and width of a photograph."""
    return SIZES[index % len(SIZES)]


def photograph(index, size=None):
    """An image of two objects: uint8 `[H, W, 3]`, and their masks, bool `[2, H, W]`."""
    rng = np.random.default_rng([17, index])
    height, width = size or size_of(index)
    y, x = np.mgrid[:height, :width] + 0.5
    image = rng.integers(60, 120, (height, width, 3))
    radius = rng.uniform(6, 10)
    middle = rng.uniform(10, height - 10), rng.uniform(10, width / 2 - 10)
    disc = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2
    top, left = rng.integers(2, height - 22), rng.integers(width // 2 + 2, width - 22)
    box = (y > top) & (y < top + rng.integers(8, 20)) & (x > left) & (x < left + 18)
    image[disc] += np.array([130, 0, 0])
    image[box] += np.array([0, 0, 130])
    return image.astype("uint8"), np.stack([disc, box])


def bounds(mask):
    """COCO's box of a mask: `[x, y, width, height]`."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def runs(mask):
    """COCO's runs of a mask, uncompressed."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()


def outline(mask):
    """A polygon around the box of a mask, which is all that is asked of it here."""
    x, y, width, height = bounds(mask)
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def write_images(folder, indices, prefix=""):
    """Writes photographs, and gives COCO's `images` of them."""
    rows = []
    for index in indices:
        name = f"{prefix}{index:03}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(index)[0]).save(path, quality=95)
        height, width = size_of(index)
        rows.append({"id": index, "file_name": name, "height": height, "width": width})
    return rows


def annotate(indices, segment, categories=(1, 2), first=1):
    """COCO's `annotations` of photographs, in no order; `segment` makes a mask's segmentation."""
    rows = []
    for index in indices:
        for category, mask in zip(categories, photograph(index)[1], strict=True):
            rows.append(
                {
                    "id": first + len(rows),
                    "image_id": index,
                    "category_id": category,
                    "bbox": bounds(mask),
                    "area": int(mask.sum()),
                    "segmentation": segment(mask),
                    "iscrowd": 0,
                }
            )
    return rows[::-1]


def write_json(path, images, annotations, categories):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))


def numbered(first, supercategory=""):
    return [
        {"id": first + place, "name": name, "supercategory": supercategory}
        for place, name in enumerate(NAMES)
    ]


def write_coco(root, train=range(12), validation=range(12, 16)):
    """As COCO is laid out, with numbers that leave some out."""
    categories = [{"id": 7, "name": "box"}, {"id": 3, "name": "disc"}]
    for name, indices in (("train2017", train), ("val2017", validation)):
        write_json(
            root / "annotations" / f"instances_{name}.json",
            write_images(root / name, indices),
            annotate(indices, lambda mask: [outline(mask)], (3, 7)),
            categories,
        )


def write_cvat(root, indices=range(20)):
    """As CVAT exports COCO 1.0: runs as numbers, images below `images/default`."""
    write_json(
        root / "annotations" / "instances_default.json",
        write_images(root / "images" / "default", indices),
        annotate(indices, lambda mask: {"counts": runs(mask), "size": mask.shape}),
        numbered(1),
    )


def write_label_studio(root, indices=range(20)):
    """As Label Studio exports COCO: `result.json`, categories from 0, boxes without masks."""
    write_json(
        root / "result.json",
        write_images(root, indices, "images/"),
        annotate(indices, lambda mask: [], (0, 1), first=0),
        numbered(0),
    )


def write_roboflow(root, splits=(("train", range(12)), ("valid", range(12, 15)))):
    """As Roboflow exports COCO: annotations beside the images, a category 0 that nothing has."""
    parent = {"id": 0, "name": "shapes", "supercategory": "none"}
    for name, indices in splits:
        write_json(
            root / name / "_annotations.coco.json",
            write_images(root / name, indices),
            annotate(indices, lambda mask: [outline(mask)]),
            [parent, *numbered(1, "shapes")],
        )


def write_labelme(root, indices=range(20)):
    """As labelme's `labelme2coco.py` does: `JPEGImages`, and the background as category 0."""
    write_json(
        root / "annotations.json",
        write_images(root, indices, "JPEGImages/"),
        annotate(indices, lambda mask: [outline(mask)]),
        [{"id": 0, "name": "_background_", "supercategory": None}, *numbered(1)],
    )


LAYOUTS = {
    "coco": write_coco,
    "cvat": write_cvat,
    "label_studio": write_label_studio,
    "roboflow": write_roboflow,
    "labelme": write_labelme,
}
