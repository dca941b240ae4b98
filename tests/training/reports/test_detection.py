"""The report of a detector, against pycocotools on files."""

import contextlib
import io
import json
import types

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from common.instances import paste_mask
from training.data.run_lengths import flips_of_instances
from training.reports.detection import FIGURES, DetectionReport

NUMBERS = (3, 7, 90)  # COCO's ids of the classes
LABELS = ["cat", "dog", "brush"]
HEIGHT, WIDTH, MOST = 180, 240, 12


def scene(rng, first):
    """Objects of an image, as targets and as COCO's annotations."""
    count = rng.integers(0, 6)
    instances = np.zeros((HEIGHT, WIDTH), "uint8")
    rows, boxes = [], np.zeros((count, 4), "float32")
    labels, crowds = rng.integers(0, 3, count), rng.uniform(size=count) < 0.25
    areas = np.zeros(count, "float32")
    for place in range(count):
        y, x = rng.integers(0, HEIGHT - 110), 40 * place
        h, w = rng.integers(6, 110), rng.integers(6, 39)
        instances[y : y + h, x : x + w] = place + 1
        instances[y : y + h // 3, x : x + w // 2] = 0
        mask = instances == place + 1
        boxes[place] = x, y, x + w, y + h
        areas[place] = mask.sum()
        rle = coco_masks.encode(np.asfortranarray(mask.astype("uint8")))
        rows.append(
            {
                "id": first + place,
                "image_id": None,
                "category_id": NUMBERS[labels[place]],
                "bbox": [int(x), int(y), int(w), int(h)],
                "area": float(mask.sum()),
                "iscrowd": int(crowds[place]),
                "segmentation": {**rle, "counts": rle["counts"].decode()},
            }
        )
    filling = MOST - count
    targets = {
        "boxes": np.pad(boxes, ((0, filling), (0, 0))),
        "labels": np.pad(labels, (0, filling), constant_values=-1),
        "crowds": np.pad(crowds, (0, filling)),
        "areas": np.pad(areas, (0, filling)),
        "flips": np.append(flips_of_instances(instances, count).numpy(), [2**63 - 1] * 3),
        "mask_size": np.array([HEIGHT, WIDTH]),
    }
    return targets, rows


def answer(rng, targets):
    """Makes up an answer of a detector: objects, moved, and others."""
    count = int(rng.integers(0, MOST + 1))
    real = np.flatnonzero(targets["labels"] >= 0)
    boxes, classes = np.zeros((MOST, 4), "float32"), np.zeros(MOST, "int32")
    for place in range(count):
        if len(real) and rng.uniform() < 0.8:
            chosen = rng.choice(real)
            boxes[place] = targets["boxes"][chosen] + rng.normal(0, 1.5, 4)
            classes[place] = targets["labels"][chosen] if rng.uniform() < 0.8 else rng.integers(3)
        else:
            x, y = rng.uniform(0, 150, 2)
            boxes[place] = x, y, x + rng.uniform(5, 90), y + rng.uniform(5, 30)
            classes[place] = rng.integers(3)
    boxes[:count] = boxes[:count].clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    scores = np.zeros(MOST, "float32")
    scores[:count] = np.sort(rng.uniform(0.06, 1, count))[::-1]
    masks = np.zeros((MOST, 28, 28), "float32")
    masks[:count] = rng.uniform(0.4, 1, (count, 1, 1))
    masks[:count, :9, :14] = 0.1
    return {"boxes": boxes, "scores": scores, "classes": classes, "count": count, "masks": masks}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A report of ten images, and the files of annotations and results that say the same."""
    rng = np.random.default_rng(5)
    source = types.SimpleNamespace(labels=LABELS, masks=True)
    report = DetectionReport(None, source)
    images, annotations, found = [], [], []
    for number in range(100, 110):
        targets, rows = scene(rng, len(annotations) + 1)
        said = answer(rng, targets)
        images.append({"id": number, "file_name": "", "height": HEIGHT, "width": WIDTH})
        annotations += [{**row, "image_id": number} for row in rows]
        for place in range(said["count"]):
            x1, y1, x2, y2 = said["boxes"][place].tolist()
            pasted = paste_mask(said["masks"][place], said["boxes"][place], HEIGHT, WIDTH)
            rle = coco_masks.encode(np.asfortranarray(pasted.astype("uint8")))
            found.append(
                {
                    "image_id": number,
                    "category_id": NUMBERS[said["classes"][place]],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": float(said["scores"][place]),
                    "segmentation": {**rle, "counts": rle["counts"].decode()},
                }
            )
        image = rng.uniform(0, 255, (1, HEIGHT, WIDTH, 3)).astype("float32")
        batch = [{k: np.asarray(v)[None] for k, v in x.items()} for x in (said, targets)]
        report.add(image, *batch)
    folder = tmp_path_factory.mktemp("results")
    categories = [{"id": n, "name": name} for n, name in zip(NUMBERS, LABELS, strict=True)]
    truth = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(found))
    return report, folder, found


def evaluated(folder, found, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(folder / "truth.json")
        if kind == "segm":  # by the areas of masks: pycocotools takes those of boxes otherwise
            found = [{k: v for k, v in row.items() if k != "bbox"} for row in found]
        evaluation = COCOeval(truth, truth.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def test_scores_are_those_of_pycocotools_on_files(results):
    report, folder, found = results
    scores = report.scores()
    known = 0
    for name, kind in (("box", "bbox"), ("mask", "segm")):
        stats = evaluated(folder, found, kind).stats
        for figure, expected in zip(FIGURES, stats, strict=False):
            if expected < 0:  # COCO's word for a size that no object has
                assert f"{name}_{figure}" not in scores
            else:
                assert scores[f"{name}_{figure}"] == pytest.approx(expected, abs=1e-6)
                known += 1
        assert 0.05 < scores[f"{name}_ap"] < 0.95
    assert len(scores) == known >= 8


def test_classes_are_those_of_pycocotools(results):
    report, folder, found = results
    precision = evaluated(folder, found, "bbox").eval["precision"][:, :, :, 0, -1]
    classes = report.classes()
    assert list(classes) == LABELS
    for index, label in enumerate(LABELS):
        own = precision[..., index]
        assert classes[label]["ap"] == pytest.approx(own[own > -1].mean(), abs=1e-6)
    assert np.mean([row["ap"] for row in classes.values()]) == pytest.approx(
        report.scores()["box_ap"], abs=1e-6
    )


def test_the_worst_images_are_drawn(results, tmp_path):
    report, _, _ = results
    report.draw(tmp_path)
    with Image.open(tmp_path / "worst.png") as picture:
        picture.verify()
    assert len(list((tmp_path / "examples").iterdir())) == 5


def test_nothing_found_and_nothing_there():
    report = DetectionReport(None, types.SimpleNamespace(labels=LABELS, masks=False))
    empty = {
        "boxes": np.zeros((1, 3, 4), "float32"),
        "labels": np.full((1, 3), -1),
        "crowds": np.zeros((1, 3), bool),
        "areas": np.zeros((1, 3), "float32"),
        "flips": np.zeros((1, 0), "int64"),
        "mask_size": np.zeros((1, 2), int),
    }
    said = {"boxes": np.zeros((1, 5, 4)), "scores": np.zeros((1, 5)), "count": np.zeros(1, int)}
    said["classes"] = np.zeros((1, 5), int)
    report.add(np.zeros((1, 9, 9, 3), "float32"), said, empty)
    assert report.scores() == {"box_ap": 0.0}
    assert report.classes() == {}
