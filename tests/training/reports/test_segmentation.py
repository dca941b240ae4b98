"""Mean IoU, counted pixel by pixel, and pictures of the worst images."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.training.class_maps import maps
from tests.training.mask_folder import CLASSES, photograph
from training.data.mask_sources import MaskSource
from training.data.masks import IGNORED
from training.reports.segmentation import EXAMPLES, SegmentationReport
from training.tasks import segment
from training.tasks.segment import MeanIoU

SOURCE = MaskSource(list(CLASSES), {}, None, table=np.arange(3))


def brute_force(target, found, classes):
    """Mean IoU, IoU by class, and the share of right pixels, counted pixel by pixel."""
    ious, right, counted = {}, 0, 0
    pixels = list(zip(target.ravel(), found.ravel(), strict=True))
    for index in range(classes):
        both = sum(t == f == index for t, f in pixels)
        either = sum(t != IGNORED and index in (t, f) for t, f in pixels)
        if either:
            ious[index] = both / either
    for t, f in pixels:
        right += t == f
        counted += t != IGNORED
    return sum(ious.values()) / len(ious), ious, right / counted


def scores_for(found, classes):
    """Probabilities whose largest is that of the class."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, (*found.shape, classes)) + 2 * np.eye(classes)[found]
    return (scores / scores.sum(-1, keepdims=True)).astype("float32")


def test_scores_equal_a_count_in_numpy():
    target, found = maps()
    scores = scores_for(found, 5)
    miou, ious, accuracy = brute_force(target, found, 5)
    assert set(ious) == {0, 1, 2, 4}
    source = dataclasses.replace(SOURCE, labels=list("abcde"))
    report = SegmentationReport(segment.TASK, source)
    metric = MeanIoU(5)
    for part in (slice(0, 4), slice(4, 6)):
        report.add(np.zeros((*target[part].shape, 3)), scores[part], target[part])
        metric.update_state(target[part], {"main": scores[part]}, tf.ones(len(target[part])))
    metric.update_state(target, scores, tf.zeros(len(target)))  # counts for nothing
    assert report.scores()["miou"] == pytest.approx(miou)
    assert report.scores()["pixel_accuracy"] == pytest.approx(accuracy)
    assert float(metric.result()) == pytest.approx(miou)
    labels = {"abcde"[index]: iou for index, iou in ious.items()}
    assert {name: row["iou"] for name, row in report.classes().items()} == pytest.approx(labels)
    images = {name: (target == "abcde".index(name)).any((1, 2)).sum() for name in labels}
    assert {name: row["images"] for name, row in report.classes().items()} == images


def test_a_split_of_ignored_pixels_has_scores_that_are_numbers():
    report = SegmentationReport(segment.TASK, SOURCE)
    target = np.full((2, 4, 5), IGNORED, "uint8")
    report.add(np.zeros((2, 4, 5, 3)), scores_for(np.zeros((2, 4, 5), int), 3), target)
    assert report.scores() == {"miou": 0.0, "pixel_accuracy": 0.0, "loss": 0.0}
    assert report.classes() == {}


def test_pictures_of_the_worst_images(tmp_path):
    report = SegmentationReport(segment.TASK, SOURCE)
    for seed in range(8):
        image, mask = photograph(seed, (60, 80) if seed % 2 else (70, 50))
        wrong = np.where(mask == 1, 2, mask)
        found = mask if seed == 3 else wrong
        report.add(image[None].astype("float32"), scores_for(found[None], 3), mask[None])
    report.draw(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("confusion.png", "worst.png", "examples")
    }
    with Image.open(tmp_path / "worst.png") as picture:
        assert picture.width > 1000
    assert len(list((tmp_path / "examples").iterdir())) == EXAMPLES
