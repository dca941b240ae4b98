"""The report of a classifier."""

import keras
import numpy as np

from common.files import replacing
from training import pictures
from training.reports import Report

TOP = 5
EXAMPLES = 5
WORST = 24
LONGEST_NAME = 150  # bytes of a class in the name of an example


class ClassificationReport(Report):
    """Accuracies, the confusion matrix and the images with the highest loss."""

    def __init__(self, task, source):
        super().__init__(task, source)
        self._labels, self._probabilities = [], []
        self._worst = []  # (loss, index, image), the highest loss first
        self._examples = []

    def add(self, images, outputs, targets):
        losses = super().add(images, outputs, targets)
        first = self.images - len(images)
        self._labels.append(targets.argmax(axis=1))
        self._probabilities.append(outputs)
        found = zip(losses, range(first, self.images), images, strict=True)
        worst = sorted([*self._worst, *found], key=lambda entry: (-entry[0], entry[1]))[:WORST]
        # Copies: a part of a batch would keep the whole batch.
        self._worst = [(loss, index, np.array(image)) for loss, index, image in worst]
        self._examples.extend(map(np.array, images[: EXAMPLES - len(self._examples)]))
        return losses

    def losses(self, outputs, targets):
        # Not as in training, where Keras clips probabilities at 1e-7 for the gradient's sake.
        right = outputs[np.arange(len(outputs)), targets.argmax(axis=1)]
        return -np.log(np.maximum(right.astype("float64"), np.finfo("float32").tiny))

    @property
    def labels(self):
        """Classes of the images, int `[N]`."""
        return np.concatenate(self._labels)

    @property
    def probabilities(self):
        """Outputs of the network, float32 `[N, classes]`."""
        return np.concatenate(self._probabilities)

    def _ranks(self):
        """Place of the right class among the probable ones, `[N]`; 1 is best. Ties count against
        the network."""
        labels, probabilities = self.labels, self.probabilities
        right = probabilities[np.arange(len(labels)), labels]
        return (probabilities >= right[:, None]).sum(axis=1)

    def scores(self):
        ranks = self._ranks()
        return {
            "accuracy": float((ranks == 1).mean()),
            "top5_accuracy": float((ranks <= TOP).mean()),
            **super().scores(),
        }

    def classes(self):
        labels, ranks = self.labels, self._ranks()
        found = {}
        for index in np.unique(labels):
            own = labels == index
            accuracy = float((ranks[own] == 1).mean())
            found[self.source.labels[index]] = {"images": int(own.sum()), "accuracy": accuracy}
        return found

    def confusion_matrix(self):
        """Counts of images by class (row) and most probable class (column)."""
        count = self.probabilities.shape[1]
        matrix = np.zeros((count, count), int)
        np.add.at(matrix, (self.labels, self.probabilities.argmax(axis=1)), 1)
        return matrix

    def draw(self, folder):
        """Writes the confusion matrix, the images with the highest loss, and a few examples."""
        names, labels = self.source.labels, self.labels
        with replacing(folder / "confusion.png") as path:
            pictures.plot_confusion(self.confusion_matrix(), names, path)
        best = self.probabilities.argmax(axis=1)
        titles = [_title(names[labels[i]], names[best[i]]) for _, i, _ in self._worst]
        with replacing(folder / "worst.png") as path:
            pictures.plot_images([image for *_, image in self._worst], titles, path)
        (folder / "examples").mkdir(exist_ok=True)
        for index, image in enumerate(self._examples):
            name = f"{index + 1}-is-{_file_part(names[labels[index]])}.png"
            with replacing(folder / "examples" / name) as path:
                keras.utils.save_img(path, image, scale=False)


def _file_part(label):
    """The name of a class as a part of a file's name, which has 255 bytes at most."""
    return label.replace("/", "_").encode()[:LONGEST_NAME].decode(errors="ignore")


def _title(label, best):
    return f"{label}, right" if best == label else f"{label}, not {best}"
