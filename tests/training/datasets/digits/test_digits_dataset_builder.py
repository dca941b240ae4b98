"""The data set of handwritten digits."""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from training.data import sources
from training.datasets.digits.digits_dataset_builder import split_digits


def arrays(source, split):
    """Decoded images and labels of a split."""
    examples = list(source.read(split).as_numpy_iterator())
    images = [tf.io.decode_png(encoded).numpy() for encoded, _, _ in examples]
    return np.stack(images), np.array([label for _, label, _ in examples])


def test_is_every_digit_once_and_stratified(data_dir):
    digits = sources.open_source("digits", data_dir)
    assert digits.labels == [str(digit) for digit in range(10)]
    splits = {name: arrays(digits, name) for name in sources.SPLITS}
    counts = {name: len(labels) for name, (_, labels) in splits.items()}
    assert counts == digits.counts == {"train": 1257, "validation": 180, "test": 360}
    source = load_digits()
    expected = np.round(source.images * 255 / 16).astype("uint8").reshape(1797, 64)
    expected = np.column_stack([expected, source.target])
    images = np.concatenate([images for images, _ in splits.values()]).reshape(1797, 64)
    labels = np.concatenate([labels for _, labels in splits.values()])
    actual = np.column_stack([images, labels])
    assert sorted(map(tuple, actual)) == sorted(map(tuple, expected))
    share = np.bincount(source.target) / 1797
    for _, labels in splits.values():
        assert np.abs(np.bincount(labels) - share * len(labels)).max() < 1
    assert list(data_dir.glob("digits/1.0.0/digits-train.tfrecord*"))


def test_the_split_is_fixed_and_is_the_one_that_is_built(data_dir):
    source = load_digits()
    indices = split_digits(source.target)
    assert sorted(np.concatenate(list(indices.values()))) == list(range(1797))
    digits = sources.open_source("digits", data_dir)
    for split, chosen in indices.items():
        np.testing.assert_array_equal(split_digits(source.target)[split], chosen)
        images, labels = arrays(digits, split)
        expected = np.round(source.images[chosen] * 255 / 16).reshape(-1, 64)
        expected = np.column_stack([expected, source.target[chosen]])
        actual = np.column_stack([images.reshape(-1, 64), labels])
        assert sorted(map(tuple, actual)) == sorted(map(tuple, expected))
