"""Two marks far apart: do they share a row, a column, or neither? A TFDS data set, generated."""

import numpy as np
import tensorflow_datasets as tfds

SIZE = 64  # pixels
CELL = 4  # pixels of a mark, and what marks are aligned to
FAR = 5  # cells that lie between two marks, at least, along an axis on which they differ
LABELS = ("same_row", "same_column", "neither")
IMAGES = {"train": 6000, "validation": 600, "test": 1800}


class Builder(tfds.core.GeneratorBasedBuilder):
    """`long_range`: 64×64 gray images of noise with two marks; a third of them in each class.

    Marks lie on a grid of 16×16 cells. Two marks of a row have at least `FAR` cells between their
    columns, two of a column between their rows, and two of neither on both axes: near marks tell
    nothing, and each mark alone is anywhere.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}  # noqa: RUF012 - TFDS' own form

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIZE, SIZE, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=LABELS),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {
            name: self._generate_examples(seed, count)
            for seed, (name, count) in enumerate(IMAGES.items())
        }

    def _generate_examples(self, seed, count):
        rng = np.random.default_rng(seed)
        for index in range(count):
            label = index % len(LABELS)
            image, _ = draw(rng, label)
            yield index, {"image": image, "label": label}


def draw(rng, label):
    """Draws an image of a class: uint8 `[64, 64, 1]`, and the cells of its marks, `[2, 2]`."""
    cells = SIZE // CELL
    marks = rng.integers(0, cells, (2, 2))
    same = {0: 0, 1: 1}.get(label)  # the axis on which the marks agree
    for axis in (0, 1):
        if axis == same:
            marks[1, axis] = marks[0, axis]
            continue
        while abs(marks[0, axis] - marks[1, axis]) <= FAR:
            marks[:, axis] = rng.integers(0, cells, 2)
    image = rng.integers(0, 64, (SIZE, SIZE, 1), dtype="uint8")
    for row, column in marks * CELL:
        image[row : row + CELL, column : column + CELL] = 255
    return image, marks
