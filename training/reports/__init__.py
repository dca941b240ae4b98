"""Reports of a network on a split: scores, and pictures of what it gets wrong."""

import numpy as np


class Report:
    """Scores of a network on a split, gathered batch by batch.

    This one knows the loss alone; tasks extend it.

    Args:
        task: The `Task`.
        source: The `Source` of the images.
    """

    def __init__(self, task, source):
        self.task = task
        self.source = source
        self.images = 0
        self._losses, self._counts = [], []

    def add(self, images, outputs, targets):
        """Takes the results of some images into account.

        Args:
            images: float32 `[b, H, W, 3]`, values in 0..255.
            outputs: What the network gave: arrays whose first axis is the image.
            targets: What it should have given, as `Task.loss` takes it.

        Returns:
            The loss of each image, `[b]`.
        """
        losses = self.losses(outputs, targets)
        self._losses.append(losses)
        self._counts.append(np.asarray(self.task.count(targets), "float64"))
        self.images += len(images)
        return losses

    def losses(self, outputs, targets):
        """The loss of each image, float64 `[b]`, from arrays."""
        return np.asarray(self.task.loss(outputs, targets), "float64")

    def scores(self):
        """Numbers by name: what `metrics.json` holds of the test images."""
        return {"loss": float(np.concatenate(self._losses).sum() / self._total())}

    def classes(self):
        """For each class that occurs, a dict of `images` and of the task's `class_score`; none
        here."""
        return {}

    def draw(self, folder):
        """Writes pictures of the results, and examples to try, into the run's folder."""

    def _total(self):
        return max(np.concatenate(self._counts).sum(), 1.0)
