"""Batches: the same whenever they are asked for, and all of a split."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from tests.training.small import with_settings
from training.data import sources
from training.data.batches import (
    Transforms,
    evaluation_batches,
    evaluation_steps,
    sample_images,
    steps_per_epoch,
    training_batches,
)
from training.data.unreadable import Unreadable
from training.recipe import load_recipe
from training.tasks import classify

RECIPE = load_recipe("digits")
FULL = with_settings(RECIPE, cutmix=1.0, erasing=0.5, rand_augment=9, crop_area=0.5, flip=True)
PLAIN = dataclasses.replace(RECIPE, settings={})


@pytest.fixture(scope="module")
def digits(data_dir):
    """The splits, as TFDS reads them from its files."""
    return sources.open_source("digits", data_dir)


def train(source, recipe, seed=0, epoch=0, **options):
    """Training batches of a recipe."""
    transforms = classify.make_transforms(recipe, source)
    return training_batches(
        source, transforms, recipe.batch_size, seed, epoch, Unreadable(0), **options
    )


def evaluate(source, split, batch_size=64, shard=(0, 1)):
    """Evaluation batches of the digits' recipe."""
    transforms = classify.make_transforms(RECIPE, source)
    return evaluation_batches(source, split, transforms, batch_size, Unreadable(0), shard)


def numpy(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(RECIPE, id="digits"),
        pytest.param(FULL, id="everything", marks=pytest.mark.slow),
    ],
)
def test_an_epoch_can_be_entered_at_any_step(digits, recipe):
    """The same batches, to the bit, by whoever and whenever they are made, guarded or not."""
    whole = numpy(train(digits, recipe, 7, 2).take(6))
    rest = numpy(train(digits, recipe, 7, 2, first_step=4, guarded=False).take(2))
    for expected, actual in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(actual[0], expected[0])
        np.testing.assert_array_equal(actual[1], expected[1])
    for seed, epoch in ((8, 2), (7, 3)):
        ((_, labels),) = numpy(train(digits, recipe, seed, epoch).take(1))
        assert (labels != whole[0][1]).any()
    images = np.concatenate([images for images, _ in whole])
    assert images.shape == (6 * 64, 32, 32, 3)
    assert images.min() >= 0
    assert 200 < images.max() <= 255.001
    for _, labels in whole:
        assert labels.min() >= recipe.settings["label_smoothing"] / 10 - 1e-6
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-5)


def test_an_epoch_shows_every_image_once(digits):
    steps = steps_per_epoch(digits, 64)
    assert steps == 1257 // 64
    batches = numpy(train(digits, PLAIN).take(steps))
    seen = np.concatenate([images for images, _ in batches]).reshape(steps * 64, -1)
    known = numpy(evaluate(digits, "train"))
    known = np.concatenate([images for images, *_ in known]).reshape(20 * 64, -1)
    known = {image.tobytes() for image in known[:1257]}
    assert {image.tobytes() for image in seen} <= known
    # A few of the digits are pixel for pixel the same.
    assert len({image.tobytes() for image in seen}) > len(seen) - (1257 - len(known)) - 1


def test_nothing_is_cached_in_memory(digits):
    """A cache loses elements under MirroredStrategy, in some runs only; the graph tells always."""
    for dataset in (train(digits, RECIPE), evaluate(digits, "test")):
        graph = dataset._as_serialized_graph().numpy()
        assert b"TFRecordDataset" in graph
        assert b"CacheDataset" not in graph


@pytest.mark.parametrize("workers", [1, 3])
def test_evaluation_covers_the_split_once(digits, workers):
    found = []
    for index in range(workers):
        batches = numpy(evaluate(digits, "test", 8, (index, workers)))
        assert len(batches) == evaluation_steps(digits, "test", 8 * workers)
        assert all(images.shape == (8, 32, 32, 3) for images, *_ in batches)
        targets = np.concatenate([targets for _, targets, _ in batches])
        weights = np.concatenate([weights for *_, weights in batches])
        assert not targets[weights == 0].any()
        np.testing.assert_array_equal(targets[weights > 0].sum(axis=1), 1)
        found.append(targets[weights > 0].argmax(axis=1))
    expected = [label for _, label, _ in digits.read("test").as_numpy_iterator()]
    if workers == 1:
        np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.sort(expected))


def test_a_batch_larger_than_the_data(digits):
    with pytest.raises(SettingError, match=r"at most 1257, .* Received: 1258"):
        steps_per_epoch(digits, 1258)


# A source of numbers, and targets of two tensors, as tasks other than classification have them.
NUMBERS = sources.Source(
    labels=[],
    counts={"train": 40, "test": 11},
    read=lambda split, seed=None, shard=(0, 1): (
        tf.data.Dataset.range({"train": 40, "test": 11}[split])
        .shard(shard[1], shard[0])
        .map(lambda number: (tf.strings.as_string(number), number, tf.strings.as_string(number)))
    ),
)


def load_number(encoded, target, seed=(0, 0), guarded=True):
    """An image and a map full of the number, and its seed; those that 5 divides are unreadable."""
    number = tf.strings.to_number(encoded)
    readable = target % 5 != 0
    image = tf.fill((2, 2, 3), tf.where(readable, number, 0.0))
    map_ = tf.fill((2, 2), tf.where(readable, target, 0))
    return image, {"map": map_, "seed": tf.cast(seed[1], tf.int64)}, readable


DENSE = Transforms(
    training=load_number,
    batch=lambda images, targets, seed: (images, targets | {"batch seed": seed}),
    evaluation=load_number,
)


def test_targets_may_be_several_tensors():
    """Each stays with its image, also where another image takes the place of an unreadable one."""
    places = []
    for images, targets in numpy_trees(
        training_batches(NUMBERS, DENSE, 8, 3, 1, Unreadable(100), shard=(1, 2)).take(5)
    ):
        assert (images > 0).all()
        np.testing.assert_array_equal(images[..., 0], targets["map"])
        places.append(targets)
    seeds = np.concatenate([targets["seed"] for targets in places])
    # Ten seeds for each image of each worker: no two of them are the same.
    assert set(seeds) <= {(2 * place + 1) * 10 for place in range(40)}
    batch_seeds = [int(targets["batch seed"][1]) for targets in places]
    assert batch_seeds == [(2 * place + 1) * 10 for place in range(5)]


def test_filling_is_blank_in_every_tensor():
    unreadable = Unreadable(100)
    batches = numpy_trees(evaluation_batches(NUMBERS, "test", DENSE, 8, unreadable))
    weights = np.concatenate([weights for *_, weights in batches])
    assert weights.tolist() == [float(i < 11 and i % 5 != 0) for i in range(16)]
    maps = np.concatenate([targets["map"] for _, targets, _ in batches])
    numbers = np.where(weights > 0, np.arange(16), 0)
    np.testing.assert_array_equal(maps, np.tile(numbers[:, None, None], (1, 2, 2)))
    assert unreadable.names == ["0", "10", "5"]


def test_samples_are_readable_and_always_the_same():
    samples = [int(image.max()) for image in sample_images(NUMBERS, DENSE, 12)]
    assert len(set(samples)) == 12
    assert all(number % 5 for number in samples)
    assert samples == [int(image.max()) for image in sample_images(NUMBERS, DENSE, 12)]
    assert len(sample_images(NUMBERS, DENSE, 100)) == 32


def numpy_trees(dataset):
    return list(dataset.as_numpy_iterator())
