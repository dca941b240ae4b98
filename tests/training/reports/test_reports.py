"""The report that those of the tasks extend."""

import dataclasses

import numpy as np
import pytest

from tests.training.loop.additional import TASK
from tests.training.small import SOURCE
from training.reports import Report


def test_the_report_averages_the_loss_over_what_is_counted():
    """Three of four images here: the last one counts for nothing."""
    task = dataclasses.replace(TASK, count=lambda targets: targets.sum(axis=1))
    report = Report(task, SOURCE)
    probabilities = np.array([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]], "float32")
    targets = np.array([[1, 0], [0, 1], [0, 1], [0, 0]], "float32")
    images = np.zeros((4, 2, 2, 3), "float32")
    losses = report.add(images[:3], probabilities[:3], targets[:3])
    np.testing.assert_allclose(losses, -np.log([0.5, 0.8, 0.1]), rtol=1e-5)
    report.add(images[3:], probabilities[3:], targets[3:])
    assert report.images == 4
    expected = -np.log([0.5, 0.8, 0.1]).sum() / 3
    assert report.scores() == {"loss": pytest.approx(expected, rel=1e-5)}
    assert report.classes() == {}
