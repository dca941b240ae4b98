"""The 1,797 handwritten digits that scikit-learn ships, as a TFDS data set."""

import numpy as np
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TEST_IMAGES = 360
VALIDATION_IMAGES = 180


class Builder(tfds.core.GeneratorBasedBuilder):
    """`digits`: 8×8 gray images of the classes 0 to 9; 1,257 train, 180 validation, 360 test.

    The split is stratified by class and fixed.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}  # noqa: RUF012 - TFDS' own form

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
        )

    def _split_generators(self, dl_manager):
        splits = split_digits(load_digits().target)
        return {name: self._generate_examples(indices) for name, indices in splits.items()}

    def _generate_examples(self, indices):
        digits = load_digits()
        # Ink is counted in 0..16.
        images = np.round(digits.images * (255 / 16)).astype("uint8")[..., None]
        for index in indices:
            yield int(index), {"image": images[index], "label": int(digits.target[index])}


def split_digits(labels):
    """Splits digits by class, always alike.

    Args:
        labels: int `[N]`, those of `load_digits`.

    Returns:
        Indices of the digits of `train`, `validation` and `test`, int arrays that share none.
    """
    fixed = {"random_state": 0}
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, **fixed
    )
    train, validation = train_test_split(
        rest, test_size=VALIDATION_IMAGES, stratify=labels[rest], **fixed
    )
    return {"train": train, "validation": validation, "test": test}
