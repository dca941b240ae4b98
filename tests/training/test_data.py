"""The digits data set, and the batches that are made of it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from common.errors import SettingError
from training import data, sources, strokes
from training.recipe import load_recipe
from training.unreadable import Unreadable

RECIPE = load_recipe("digits")
FULL = dataclasses.replace(
    RECIPE, cutmix=1.0, erasing=0.5, rand_augment=9, crop_area=0.5, flip=True
)


@pytest.fixture(scope="module")
def digits(data_dir):
    """The splits, as TFDS reads them from its files."""
    return sources.open_source("digits", data_dir)


def arrays(source, split):
    """Decoded images and labels of a split."""
    examples = list(source.read(split).as_numpy_iterator())
    images = [tf.io.decode_png(encoded).numpy() for encoded, _, _ in examples]
    return np.stack(images), np.array([label for _, label, _ in examples])


def numpy(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def test_is_every_digit_once_and_stratified(digits, data_dir):
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


@pytest.mark.parametrize("recipe", [RECIPE, FULL], ids=["digits", "everything"])
def test_an_epoch_can_be_entered_at_any_step(digits, recipe):
    """The same batches, to the bit, by whoever and whenever they are made."""
    unreadable = Unreadable(0)
    whole = numpy(data.training_batches(digits, recipe, 7, 2, unreadable).take(6))
    rest = numpy(data.training_batches(digits, recipe, 7, 2, unreadable, first_step=4).take(2))
    for expected, actual in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(actual[0], expected[0])
        np.testing.assert_array_equal(actual[1], expected[1])
    for seed, epoch in ((8, 2), (7, 3)):
        ((_, labels),) = numpy(
            data.training_batches(digits, recipe, seed, epoch, unreadable).take(1)
        )
        assert (labels != whole[0][1]).any()
    images = np.concatenate([images for images, _ in whole])
    assert images.shape == (6 * 64, 32, 32, 3)
    assert images.min() >= 0
    assert 200 < images.max() <= 255.001
    for _, labels in whole:
        assert labels.min() >= recipe.label_smoothing / 10 - 1e-6
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-5)


def test_an_epoch_shows_every_image_once(digits):
    off = (*strokes.MOVES, "stroke", "label_smoothing")
    plain = dataclasses.replace(RECIPE, **dict.fromkeys(off, 0.0))
    steps = data.steps_per_epoch(digits, plain)
    assert steps == 1257 // 64
    batches = numpy(data.training_batches(digits, plain, 0, 0, Unreadable(0)).take(steps))
    seen = np.concatenate([images for images, _ in batches]).reshape(steps * 64, -1)
    everything = data.evaluation_batches(digits, "train", plain, Unreadable(0))
    known = np.concatenate([images for images, *_ in numpy(everything)]).reshape(20 * 64, -1)
    known = {image.tobytes() for image in known[:1257]}
    assert {image.tobytes() for image in seen} <= known
    # A few of the digits are pixel for pixel the same.
    assert len({image.tobytes() for image in seen}) > len(seen) - (1257 - len(known)) - 1


def test_nothing_is_cached_in_memory(digits):
    """A cache loses elements under MirroredStrategy, in some runs only; the graph tells always."""
    for dataset in (
        data.training_batches(digits, RECIPE, 0, 0, Unreadable(0)),
        data.evaluation_batches(digits, "test", RECIPE, Unreadable(0)),
    ):
        graph = dataset._as_serialized_graph().numpy()
        assert b"TFRecordDataset" in graph
        assert b"CacheDataset" not in graph


@pytest.mark.parametrize("workers", [1, 3])
def test_evaluation_covers_the_split_once(digits, workers):
    found = []
    for index in range(workers):
        shard = (index, workers)
        batches = numpy(data.evaluation_batches(digits, "test", RECIPE, Unreadable(0), 8, shard))
        assert len(batches) == data.evaluation_steps(digits, "test", 8 * workers)
        assert all(images.shape == (8, 32, 32, 3) for images, *_ in batches)
        labels = np.concatenate([labels for _, labels, _ in batches])
        found.append(labels[np.concatenate([weights for *_, weights in batches]) > 0])
    expected = arrays(digits, "test")[1]
    if workers == 1:
        np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.sort(expected))


def test_a_batch_larger_than_the_data(digits):
    recipe = dataclasses.replace(RECIPE, batch_size=1258)
    with pytest.raises(SettingError, match=r"at most 1257, .* Received: 1258"):
        data.steps_per_epoch(digits, recipe)
