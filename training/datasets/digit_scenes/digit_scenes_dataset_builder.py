"""Handwritten digits on photographs with the mask of each, as a TFDS data set."""

import numpy as np
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits, load_sample_images

from training.datasets.digit_scenes import scenes
from training.datasets.digits.digits_dataset_builder import split_digits

LABELS = [str(digit) for digit in range(10)]
SCENES = {"train": 5000, "validation": 200, "test": 400}
# The columns of both photographs, 640 pixels wide, that a split shows.
COLUMNS = {"train": (0, 368), "validation": (368, 480), "test": (480, 640)}


class Builder(tfds.core.GeneratorBasedBuilder):
    """`digit_scenes`: 96×96 color images of 1 to 3 digits; 5,000 train, 200 validation, 400 test.

    Digits are those of `digits`, in the same split. Scenes of different splits share neither a
    digit nor a pixel of the photographs. A scene depends on its split and its index only.

    Features:
        image: uint8 `[96, 96, 3]`.
        segmentation_mask: uint8 `[96, 96, 1]`; 0 is background, 1 to 10 are the digits 0 to 9. The
            names are in the metadata's `segmentation_classes`.
        instance_mask: uint8 `[96, 96, 1]`; 0 is none, `k` is the k-th of `objects`.
        objects: For each digit the tight box of its visible pixels, and its label.
    """

    VERSION = tfds.core.Version("3.0.0")
    RELEASE_NOTES = {  # noqa: RUF012 - TFDS' own form
        "1.0.0": "Initial release.",
        "2.0.0": "Larger digits, at most 3 in a scene, brighter than the dimmed photograph.",
        "3.0.0": "5,000 training scenes, of which the first 2,000 are those of 2.0.0.",
    }

    def _info(self):
        def png(channels):
            shape = (scenes.SIZE, scenes.SIZE, channels)
            return tfds.features.Image(shape=shape, encoding_format="png")

        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": png(3),
                    "segmentation_mask": png(1),
                    "instance_mask": png(1),
                    "objects": tfds.features.Sequence(
                        {
                            "bbox": tfds.features.BBoxFeature(),
                            "label": tfds.features.ClassLabel(names=LABELS),
                        }
                    ),
                }
            ),
            supervised_keys=("image", "segmentation_mask"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            metadata=tfds.core.MetadataDict({"segmentation_classes": ["background", *LABELS]}),
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name) for name in SCENES}

    def _generate_examples(self, split):
        digits = load_digits()
        images, labels = digits.images / 16, digits.target  # ink is counted in 0..16
        photographs = load_sample_images().images
        indices = split_digits(labels)[split]
        for index in range(SCENES[split]):
            rng = np.random.default_rng([list(COLUMNS).index(split), index])
            placements = []
            while not placements:  # a digit that finds no place is left out, perhaps the only one
                photograph = photographs[rng.integers(len(photographs))]
                background = scenes.crop(rng, photograph, COLUMNS[split])
                image, instances, placements, _ = scenes.draw(rng, background, images[indices])
            shown = labels[indices[[placement.digit for placement in placements]]]
            boxes = scenes.boxes(instances, len(placements)) / scenes.SIZE
            yield (
                index,
                {
                    "image": image,
                    "segmentation_mask": np.append(0, shown + 1).astype("uint8")[instances, None],
                    "instance_mask": instances[..., None],
                    "objects": [
                        {"bbox": tfds.features.BBox(*box), "label": int(label)}
                        for box, label in zip(boxes.tolist(), shown, strict=True)
                    ],
                },
            )
