"""Networks on a whole split."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from training.data.batches import Transforms
from training.data.sources import Source
from training.data.unreadable import Unreadable
from training.errors import UnreadableImagesError
from training.loop.evaluation import batches_of_a_size, evaluate_networks
from training.reports import Report
from training.tasks import Task

# Eleven images, each full of its number; the sixth cannot be read.
SOURCE = Source(
    labels=[],
    counts={"test": 11},
    read=lambda split, seed=None, shard=(0, 1): tf.data.Dataset.range(11).map(
        lambda number: (tf.strings.as_string(number), number, tf.strings.as_string(number))
    ),
)


class Kept(Report):
    """Keeps what it is given."""

    def __init__(self, task, source):
        super().__init__(task, source)
        self.parts = []

    def add(self, images, outputs, targets):
        self.parts.append((images, outputs, targets))
        return super().add(images, outputs, targets)


def load(encoded, target):
    image = tf.fill((2, 2, 3), tf.strings.to_number(encoded))
    return image, {"number": tf.cast(target, tf.float32)}, target != 5


TRANSFORMS = Transforms(None, None, load)
TASK = Task(
    make_transforms=lambda recipe, source: TRANSFORMS,
    make_network=None,
    loss=lambda outputs, targets: tf.abs(outputs - targets["number"]),
    make_report=Kept,
)


def network(factor):
    """A network of images to their mean, times a factor."""
    images = keras.Input((2, 2, 3))
    return keras.Model(images, factor * keras.ops.mean(images, axis=(1, 2, 3)))


def inference(factor):
    return TASK.make_inference(network(factor), {})


def test_reports_have_every_readable_image_once():
    unreadable = Unreadable(1)
    runs = {"once": inference(1.0), "twice": inference(2.0)}
    reports = evaluate_networks(runs, TASK, SOURCE, "test", TRANSFORMS, 4, unreadable)
    numbers = np.array([0, 1, 2, 3, 4, 6, 7, 8, 9, 10])
    for name, factor in (("once", 1), ("twice", 2)):
        images, outputs, targets = (
            [part[index] for part in reports[name].parts] for index in range(3)
        )
        assert reports[name].images == 10
        np.testing.assert_array_equal(np.concatenate(images)[:, 1, 1, 2], numbers)
        np.testing.assert_array_equal(np.concatenate(outputs), factor * numbers)
        np.testing.assert_array_equal(np.concatenate([t["number"] for t in targets]), numbers)
    assert reports["once"].scores() == {"loss": 0.0}
    assert reports["twice"].scores() == {"loss": pytest.approx(numbers.mean())}
    assert unreadable.names == ["5"]


def test_batches_of_any_number_of_images_are_traced_once():
    traced = []

    def infer(images):
        traced.append(images.shape)
        return tf.reduce_mean(images, axis=(1, 2, 3))

    reports = evaluate_networks({"": infer}, TASK, SOURCE, "test", TRANSFORMS, 4, Unreadable(1))
    assert [len(images) for images, _, _ in reports[""].parts] == [4, 4, 2]
    assert traced == [(None, 2, 2, 3)]


def test_too_many_unreadable_images_end_it():
    runs = {"once": inference(1.0)}
    with pytest.raises(UnreadableImagesError, match=r"limit of 0 \(--max-unreadable\)$"):
        evaluate_networks(runs, TASK, SOURCE, "test", TRANSFORMS, 64, Unreadable(0))


def test_a_split_without_a_readable_image_is_an_error():
    source = dataclasses.replace(
        SOURCE,
        counts={"test": 1},
        read=lambda *arguments, **options: SOURCE.read("test").skip(5).take(1),
    )
    with pytest.raises(SettingError, match="no image of test can be read"):
        evaluate_networks(
            {"once": inference(1.0)}, TASK, source, "test", TRANSFORMS, 4, Unreadable(1)
        )


def test_a_batch_has_a_bound_of_pixels():
    examples = [(np.zeros((4, side, 3)), np.zeros(1)) for side in (5, 5, 5, 5, 50, 50, 5)]
    sizes = [len(images) for images, _ in batches_of_a_size(examples, 8, pixels=61)]
    assert sizes == [3, 1, 1, 1, 1]
    assert [len(images) for images, _ in batches_of_a_size(examples, 3)] == [3, 1, 2, 1]


def test_images_of_their_own_sizes_go_in_batches_of_one_size():
    """Images of one size that follow one another are a batch; whole images come from `whole`."""

    def whole(encoded, target):
        number = tf.strings.to_number(encoded, tf.int32)
        side = 2 + number // 4
        image = tf.fill((side, 3, 3), tf.cast(number, tf.float32))
        return image, {"number": tf.cast(target, tf.float32)}, target != 5

    def sizes(images):
        return tf.reduce_mean(images, axis=(1, 2, 3))

    transforms = Transforms(None, None, load, whole)
    report = evaluate_networks(
        {"sizes": sizes}, TASK, SOURCE, "test", transforms, 3, Unreadable(1)
    )["sizes"]
    shapes = [images.shape[:2] for images, *_ in report.parts]
    assert shapes == [(3, 2), (1, 2), (3, 3), (3, 4)]
    numbers = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    found = np.concatenate([outputs for _, outputs, _ in report.parts])
    np.testing.assert_allclose(found, numbers, rtol=1e-6)
    assert report.scores() == {"loss": pytest.approx(0.0, abs=1e-5)}
