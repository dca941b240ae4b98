"""Tasks: found by name, their settings checked, and the report that they extend."""

import dataclasses

import numpy as np
import pytest

from common.errors import SettingError
from common.registry import module_names
from tests.training.loop.additional import TASK
from tests.training.small import RECIPE, SOURCE, with_settings
from training import tasks
from training.tasks import Report, check_settings, load_task


def test_every_module_is_a_task():
    names = module_names(tasks)
    assert "classify" in names
    for name in names:
        task = load_task(name)
        assert dataclasses.is_dataclass(task.settings)
        assert task.settings() == task.settings()  # all have defaults
        assert callable(task.predict)


def test_a_task_that_there_is_not():
    with pytest.raises(SettingError, match=r"`task` must be one of .*'classify'.* Received: 'dr"):
        load_task("dream")


def test_settings_are_those_of_the_task():
    task = load_task("classify")
    check_settings(task, RECIPE)
    with pytest.raises(SettingError, match=r"`settings` of the task 'classify': .*'sharpen'"):
        check_settings(task, with_settings(RECIPE, sharpen=1))


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


def test_images_are_counted_unless_the_task_says_otherwise():
    targets = {"boxes": np.zeros((5, 3, 4)), "classes": np.zeros((5, 3))}
    assert TASK.count(targets).numpy().tolist() == [1.0] * 5
