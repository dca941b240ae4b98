"""Accuracies, the confusion matrix, and pictures, of known probabilities."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tests.training.small import SOURCE
from training.reports.classification import EXAMPLES, WORST, ClassificationReport
from training.tasks import classify

ODD = ["$5_$10", "10$%", "[red]", "l" * 250, "犬" * 80, "a/b", "."]


@pytest.fixture
def report():
    """A report of 40 random images in two parts, and its labels and probabilities."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 40)  # the last class does not occur
    probabilities = rng.dirichlet(np.ones(7), 40).astype("float32")
    images = np.tile(np.arange(40, dtype="float32")[:, None, None, None], (1, 4, 4, 3))
    made = ClassificationReport(classify.TASK, SOURCE)
    for part in (slice(0, 25), slice(25, 40)):
        made.add(images[part], probabilities[part], np.eye(7, dtype="float32")[labels[part]])
    return made, labels, probabilities


def test_the_report_has_accuracies_and_loss(report):
    report, labels, probabilities = report
    right = probabilities[np.arange(40), labels]
    order = np.argsort(-probabilities, axis=1)
    scores = report.scores()
    assert scores["accuracy"] == (order[:, 0] == labels).mean()
    assert scores["top5_accuracy"] == (order[:, :5] == labels[:, None]).any(axis=1).mean()
    assert scores["loss"] == pytest.approx(-np.log(right.astype("float64")).mean(), rel=1e-6)
    assert list(report.classes()) == SOURCE.labels[:6]
    for index, entry in enumerate(report.classes().values()):
        own = labels == index
        assert entry["images"] == own.sum()
        assert entry["accuracy"] == (order[own, 0] == index).mean()
    matrix = report.confusion_matrix()
    assert matrix.sum() == 40
    for row, column in np.ndindex(7, 7):
        assert matrix[row, column] == ((labels == row) & (order[:, 0] == column)).sum()


def test_equal_probabilities_are_no_success():
    report = ClassificationReport(classify.TASK, SOURCE)
    report.add(np.zeros((1, 2, 2, 3)), np.full((1, 7), 1 / 7, "float32"), np.eye(7)[:1])
    scores = report.scores()
    assert (scores["accuracy"], scores["top5_accuracy"]) == (0.0, 0.0)


def test_a_probability_of_0_has_a_finite_loss():
    report = ClassificationReport(classify.TASK, SOURCE)
    report.add(np.zeros((1, 2, 2, 3)), np.eye(7, dtype="float32")[1:2], np.eye(7)[:1])
    # The smallest normal number of float32 is 2^-126.
    assert report.scores()["loss"] == pytest.approx(126 * np.log(2), rel=1e-6)


def test_pictures_and_examples(report, tmp_path):
    report, labels, probabilities = report
    losses = -np.log(probabilities[np.arange(40), labels])
    worst = [index for _, index, _ in report._worst]
    assert worst == np.argsort(-losses)[:WORST].tolist()
    report.draw(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"confusion.png", "worst.png", "examples"}
    for index in range(EXAMPLES):
        path = tmp_path / "examples" / f"{index + 1}-is-class {labels[index]}.png"
        with Image.open(path) as image:
            np.testing.assert_array_equal(image, np.full((4, 4, 3), index))
    assert len(list((tmp_path / "examples").iterdir())) == EXAMPLES


@pytest.mark.filterwarnings("ignore:Glyph")
def test_classes_may_have_odd_names(tmp_path):
    """Formulas of matplotlib, names longer than those of files, parts of paths."""
    source = dataclasses.replace(SOURCE, labels=ODD)
    report = ClassificationReport(classify.TASK, source)
    targets, outputs = np.eye(7, dtype="float32"), np.full((7, 7), 1 / 7, "float32")
    report.add(np.zeros((7, 4, 4, 3)), outputs, targets)
    report.draw(tmp_path)
    names = sorted(path.name for path in (tmp_path / "examples").iterdir())
    assert names[:3] == ["1-is-$5_$10.png", "2-is-10$%.png", "3-is-[red].png"]
    assert names[3:] == [f"4-is-{'l' * 150}.png", f"5-is-{'犬' * 50}.png"]
