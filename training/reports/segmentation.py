"""The report of a segmenter."""

import keras
import numpy as np

from common.files import replacing
from common.overlays import overlay
from training import pictures
from training.data.masks import IGNORED
from training.reports import Report

EXAMPLES = 5
WORST = 12
DRAWN = 1024  # pixels of the longer side of an image in a picture


class SegmentationReport(Report):
    """Mean IoU, IoU of each class, the share of right pixels, and the images with the most loss."""

    def __init__(self, task, source):
        super().__init__(task, source)
        count = len(source.labels)
        self.matrix = np.zeros((count, count), np.int64)  # pixels by class and predicted class
        self._seen = np.zeros(count, int)  # images in which a class is
        # (mean loss, index, image, target, prediction), the most loss first
        self._worst = []
        self._examples = []

    def add(self, images, outputs, targets):
        losses = super().add(images, outputs, targets)
        means = losses / np.maximum(self.task.count(targets), 1)
        first = self.images - len(images)
        found = outputs.argmax(axis=-1).astype("uint8")
        for place, (image, target, classes) in enumerate(zip(images, targets, found, strict=True)):
            counted = target != IGNORED
            pairs = target[counted].astype(int) * len(self.matrix) + classes[counted]
            self.matrix += np.bincount(pairs, minlength=self.matrix.size).reshape(self.matrix.shape)
            self._seen[np.unique(target[counted])] += 1
            self._worst.append((means[place], first + place, image, target, classes))
        worst = sorted(self._worst, key=lambda entry: (-entry[0], entry[1]))[:WORST]
        self._worst = [(mean, index, *map(_drawn, arrays)) for mean, index, *arrays in worst]
        self._examples.extend(_pixels(images[: EXAMPLES - len(self._examples)]))
        return losses

    def _ious(self):
        """IoU of each class, NaN for one that is neither there nor predicted."""
        right = np.diag(self.matrix)
        union = self.matrix.sum(axis=0) + self.matrix.sum(axis=1) - right
        return np.where(union, right / np.maximum(union, 1), np.nan)

    def scores(self):
        pixels, ious = max(self.matrix.sum(), 1), self._ious()
        found = ious[~np.isnan(ious)]  # none where every pixel is ignored
        return {
            "miou": float(np.mean(found)) if len(found) else 0.0,
            "pixel_accuracy": float(np.trace(self.matrix) / pixels),
            **super().scores(),
        }

    def classes(self):
        return {
            self.source.labels[index]: {"images": int(self._seen[index]), "iou": float(iou)}
            for index, iou in enumerate(self._ious())
            if not np.isnan(iou)
        }

    def draw(self, folder):
        """Writes the confusion matrix, the worst images beside the truth, and a few examples."""
        names = self.source.labels
        with replacing(folder / "confusion.png") as path:
            pictures.plot_confusion(self.matrix, names, path)
        rows = [
            [overlay(image, target, names), overlay(image, found, names)]
            for *_, image, target, found in self._worst
        ]
        with replacing(folder / "worst.png") as path:
            pictures.plot_pairs(rows, ("truth", "prediction"), path)
        (folder / "examples").mkdir(exist_ok=True)
        for index, image in enumerate(self._examples):
            with replacing(folder / "examples" / f"{index + 1}.png") as path:
                keras.utils.save_img(path, image, scale=False)


def _drawn(array):
    """A copy of an image or a map, no larger than it is drawn: a part would keep the whole."""
    step = -(-max(array.shape[:2]) // DRAWN)
    array = array[::step, ::step]
    return _pixels(array) if array.ndim == 3 else np.array(array)


def _pixels(images):
    """Images in 0..255 as uint8."""
    return np.clip(np.round(images), 0, 255).astype("uint8")
