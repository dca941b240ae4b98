"""The digits data set and the input pipeline."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from training import data
from training.augmentation import make_augmentation
from training.recipe import load_recipe

RECIPE = load_recipe("digits")


@pytest.fixture(scope="module")
def digits(data_dir):
    """The splits, as TFDS reads them from its files."""
    splits, names = data.load_splits(RECIPE, data_dir)
    assert names == [str(digit) for digit in range(10)]
    return splits


def arrays(dataset):
    """Images and labels of a split."""
    images, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.stack(images), np.array(labels)


def test_is_every_digit_once_and_stratified(digits, data_dir):
    splits = {name: arrays(dataset) for name, dataset in digits.items()}
    assert {name: len(labels) for name, (_, labels) in splits.items()} == {
        "train": 1257,
        "validation": 180,
        "test": 360,
    }
    source = load_digits()
    expected = np.round(source.images * 255 / 16).astype("uint8").reshape(1797, 64)
    expected = np.column_stack([expected, source.target])
    images = np.concatenate([images for images, _ in splits.values()]).reshape(1797, 64)
    labels = np.concatenate([labels for _, labels in splits.values()])
    actual = np.column_stack([images, labels])
    np.testing.assert_array_equal(np.sort(actual, axis=0), np.sort(expected, axis=0))
    assert sorted(map(tuple, actual)) == sorted(map(tuple, expected))
    share = np.bincount(source.target) / 1797
    for _, labels in splits.values():
        assert np.abs(np.bincount(labels) - share * len(labels)).max() < 1
    assert list(data_dir.glob("digits/1.0.0/digits-train.tfrecord*"))


def batches(digits, seed, **changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    return data.training_batches(digits["train"], recipe, seed)


def test_an_epoch_is_reproducible_and_no_two_are_alike(digits):
    first, again, other = (batches(digits, seed) for seed in (0, 0, 1))
    one, two = [np.concatenate([labels for _, labels in first]) for _ in range(2)]
    assert len(one) == len(two) == 19 * 64
    assert (one != two).any()
    images, labels = next(iter(batches(digits, 0)))
    same_images, same_labels = next(iter(again))
    np.testing.assert_array_equal(images, same_images)
    np.testing.assert_array_equal(labels, same_labels)
    assert (labels != next(iter(other))[1]).numpy().any()
    assert images.shape == (64, 32, 32, 3)
    assert 0 <= images.numpy().min() < images.numpy().max() <= 255


def test_augmentation_moves_every_image_on_its_own():
    image = np.zeros((8, 32, 32, 3), "float32")
    image[:, 12:20, 12:20] = 200.0
    moved = make_augmentation(RECIPE, seed=0)(tf.constant(image)).numpy()
    assert len({array.tobytes() for array in moved}) == 8
    centre = np.array([np.argwhere(array[..., 0] > 50).mean(0) for array in moved])
    assert 0.5 < np.abs(centre - 15.5).max() < 32 * RECIPE.translation * 1.5


def test_no_augmentation_at_zero():
    recipe = dataclasses.replace(RECIPE, rotation=0.0, translation=0.0, zoom=0.0)
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(make_augmentation(recipe, 0)(images), images, atol=1e-3)


def test_nothing_is_cached_in_memory(digits):
    """A cache loses elements under MirroredStrategy, in some runs only; the graph tells always."""
    for dataset in (batches(digits, 0), data.evaluation_batches(digits["test"], RECIPE)):
        graph = dataset._as_serialized_graph().numpy()
        assert b"TFRecordDataset" in graph
        assert b"CacheDataset" not in graph


def test_evaluation_covers_the_split_in_order(digits):
    images, labels = zip(*data.evaluation_batches(digits["test"], RECIPE), strict=True)
    np.testing.assert_array_equal(np.concatenate(labels), arrays(digits["test"])[1])
    assert np.concatenate(images).shape == (360, 32, 32, 3)


@pytest.mark.parametrize("shape", [(64, 64, 3), (50, 90, 3), (91, 37, 1), (1, 1, 1)])
def test_evaluation_image_keeps_the_centre_and_the_proportions(shape):
    """A ramp along each axis is still a ramp of the same slope, around the same middle."""
    height, width, channels = shape
    ramps = np.stack(np.indices((height, width)), axis=-1)[..., :channels].astype("float32")
    if channels == 3:
        ramps = np.concatenate([ramps, np.zeros((height, width, 1))], axis=-1)
    result = data.evaluation_image(ramps.astype("float32"), 16).numpy()
    assert result.shape == (16, 16, 3)
    scale = min(height, width) / 16
    for axis in range(min(2, channels)):
        profile = result[..., axis].mean(1 - axis)
        assert profile.mean() == pytest.approx((shape[axis] - 1) / 2, abs=scale)
        if scale > 1:
            np.testing.assert_allclose(np.diff(profile)[4:-4], scale, rtol=0.05)
