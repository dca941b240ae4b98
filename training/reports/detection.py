"""The report of a detector: COCO's average precision, by pycocotools."""

import contextlib
import io

import keras
import numpy as np
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from common.files import replacing
from common.instances import SHOWN, draw_objects, paste_mask
from training import pictures
from training.data.run_lengths import encoded_masks
from training.reports import Report

EXAMPLES = 5
WORST = 12
KINDS = {"box": "bbox", "mask": "segm"}  # pycocotools' names
# Names of the first six of pycocotools' figures.
FIGURES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")


class DetectionReport(Report):
    """Average precision of boxes and masks, that of each class, and the images with most errors."""

    def __init__(self, task, source):
        super().__init__(task, source)
        self.truth, self.found = [], []  # COCO's `annotations`, and its results
        self._sizes = []  # height and width of each image
        self._worst = []  # (share of errors, index, image, truth, detections), the most first
        self._examples = []
        self._masked = False
        self._evaluated = None

    def add(self, images, outputs, targets):
        for place, image in enumerate(images):
            target = {name: value[place] for name, value in targets.items()}
            answer = {name: value[place] for name, value in outputs.items()}
            self._add(image, answer, target)
        self._examples.extend(images[: EXAMPLES - len(self._examples)].round().astype("uint8"))

    def _add(self, image, answer, target):
        index, (height, width) = self.images, image.shape[:2]
        self.images += 1
        self._sizes.append((height, width))
        real, truth = target["labels"] >= 0, []
        self._masked = "masks" in answer
        masks = [None] * len(real)
        if self._masked:
            masks = encoded_masks(target["flips"], len(real), *target["mask_size"])
        for place in np.flatnonzero(real):
            row = {
                "id": len(self.truth) + len(truth) + 1,
                "image_id": index,
                "category_id": int(target["labels"][place]),
                "bbox": as_coco(target["boxes"][place]),
                "area": float(target["areas"][place]),
                "iscrowd": int(target["crowds"][place]),
            }
            if masks[place] is not None:
                row["segmentation"] = masks[place]
            truth.append(row)
        found = results(answer, index, height, width)
        self.truth.extend(truth)
        self.found.extend(found)
        self._remember(image, index, truth, found)

    def _remember(self, image, index, truth, found):
        """Keeps an image if it is among those with most errors."""
        truth = [row for row in truth if not row["iscrowd"]]
        found = [row for row in found if row["score"] >= SHOWN]
        self._worst.append(
            (_errors(truth, found), index, image.round().astype("uint8"), truth, found)
        )
        self._worst = sorted(self._worst, key=lambda entry: (-entry[0], entry[1]))[:WORST]

    def scores(self):
        """Figures by name, such as `box_ap50`; without those of sizes that no object has."""
        found = {}
        for kind, evaluation in self._evaluate().items():
            figures = dict(zip(FIGURES, evaluation.stats.tolist(), strict=False))
            whole = {FIGURES[0]: max(figures.pop(FIGURES[0]), 0.0)}
            known = {name: value for name, value in figures.items() if value >= 0}
            found |= {f"{kind}_{name}": value for name, value in (whole | known).items()}
        return found

    def classes(self):
        """For each class that occurs: its images, and the average precision of its boxes."""
        precision = self._evaluate()["box"].eval["precision"][..., 0, -1]  # [IoU, recall, class]
        found = {}
        for index, label in enumerate(self.source.labels):
            own = precision[..., index]
            rows = {row["image_id"] for row in self.truth if row["category_id"] == index}
            if rows:
                known = own[own > -1]
                found[label] = {
                    "images": len(rows),
                    "ap": float(known.mean()) if len(known) else 0.0,
                }
        return found

    def _evaluate(self):
        """pycocotools' evaluations by kind, accumulated."""
        if self._evaluated is None:
            truth, self._evaluated = self._index(self.truth), {}
            for name, kind in KINDS.items():
                if name == "mask" and not self._masked:
                    continue
                rows = [
                    {**row, "id": place + 1, "iscrowd": 0, "area": _area(row, kind)}
                    for place, row in enumerate(self.found)
                ]
                self._evaluated[name] = evaluate(truth, self._index(rows), kind)
        return self._evaluated

    def _index(self, annotations):
        """pycocotools' index of annotations."""
        coco = COCO()
        coco.dataset = {
            "images": [
                {"id": index, "height": height, "width": width}
                for index, (height, width) in enumerate(self._sizes)
            ],
            "annotations": annotations,
            "categories": [
                {"id": index, "name": label} for index, label in enumerate(self.source.labels)
            ],
        }
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
        return coco

    def draw(self, folder):
        """Writes the images with most errors beside the truth, and a few examples."""
        rows = [
            [draw_objects(image, shown(part), self.source.labels) for part in (truth, found)]
            for _, _, image, truth, found in self._worst
        ]
        with replacing(folder / "worst.png") as path:
            pictures.plot_pairs(rows, ("truth", "prediction"), path)
        (folder / "examples").mkdir(exist_ok=True)
        for index, image in enumerate(self._examples):
            with replacing(folder / "examples" / f"{index + 1}.png") as path:
                keras.utils.save_img(path, image, scale=False)


def shown(rows):
    """COCO's annotations or results, as `common.instances.draw_objects` takes them."""
    objects = []
    for row in rows:
        x, y, width, height = row["bbox"]
        mask = row.get("segmentation")
        mask = None if mask is None else coco_masks.decode(mask) != 0
        box = (x, y, x + width, y + height)
        objects.append((box, row["category_id"], row.get("score"), mask))
    return objects


def results(answer, image_id, height, width):
    """COCO's results of an image, a list of dicts, from what a detector answered.

    Args:
        answer: Dict of arrays of one image, as `pale_tf.pale_detector` describes them, boxes in
            pixels of the whole image.
        image_id: Number of the image.
        height, width: Of the whole image, in pixels.
    """
    rows = []
    for place in range(int(answer["count"])):
        box = answer["boxes"][place]
        row = {
            "image_id": image_id,
            "category_id": int(answer["classes"][place]),
            "bbox": as_coco(box),
            "score": float(answer["scores"][place]),
        }
        if "masks" in answer:
            pasted = paste_mask(answer["masks"][place], box, height, width)
            encoded = coco_masks.encode(np.asfortranarray(pasted.astype("uint8")))
            row["segmentation"] = {**encoded, "counts": encoded["counts"].decode()}
        rows.append(row)
    return rows


def as_coco(box):
    """`(x1, y1, x2, y2)` as COCO has it: `[x, y, width, height]`, numbers of Python."""
    x1, y1, x2, y2 = (float(side) for side in box)
    return [x1, y1, x2 - x1, y2 - y1]


def _area(row, kind):
    """The area of a result, by which pycocotools tells small ones from large ones."""
    if kind == KINDS["mask"]:
        return float(coco_masks.area(row["segmentation"]))
    return row["bbox"][2] * row["bbox"][3]


def evaluate(truth, found, kind):
    """pycocotools' `COCOeval` of results, accumulated and summarized, without its printing.

    Args:
        truth, found: Indexed annotations of `pycocotools.coco.COCO`.
        kind: `bbox` or `segm`.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _errors(truth, found):
    """Objects that were missed and detections of nothing, as a share of both together."""
    if not truth or not found:
        return float(bool(truth or found))
    boxes = [np.array([row["bbox"] for row in rows]).reshape(-1, 4) for rows in (found, truth)]
    overlaps = np.array(coco_masks.iou(*boxes, np.zeros(len(truth))))
    right, free = 0, np.ones(len(truth), bool)
    for place, row in enumerate(found):  # the best score first
        same = np.array([row["category_id"] == other["category_id"] for other in truth], bool)
        fitting = np.where(same & free, overlaps[place], 0)
        if fitting.max() >= 0.5:
            free[fitting.argmax()] = False
            right += 1
    return 1 - 2 * right / (len(truth) + len(found))
