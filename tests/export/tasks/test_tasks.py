"""Tasks: found by name, and their defaults."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from common.preparation import evaluation_image
from common.trained import NO_RUN, Trained
from export.tasks import Task, load_task, task_of
from export.tasks.classify import TASK
from pale_tf import PaleN
from tests.export.encoding import encode, picture


def test_a_recipe_names_its_task():
    network = PaleN(input_shape=(32, 32, 3), classes=3)
    trained = Trained(network, pathlib.Path("run/model.keras"), NO_RUN, [])
    assert task_of(trained) is TASK is load_task("classify")
    with pytest.raises(SettingError, match="has 1 labels for a network of 3 classes"):
        task_of(trained._replace(labels=["ant"]))
    unknown = {"task": "paint", "settings": {}}
    message = r"argument RUN: its task must be one of \[.*'classify'.*\]. Received: 'paint'"
    with pytest.raises(SettingError, match=message):
        task_of(trained._replace(recipe=unknown))


def test_by_default_outputs_are_served_as_they_are():
    task, outputs = Task(), {"colors": np.array([1.0, 2.5])}
    files = tf.constant([encode(picture(0), "PNG")])
    trained = Trained(None, pathlib.Path("run/model.keras"), NO_RUN, [])
    means = task.answer(files, lambda images: {"means": np.mean(images, (1, 2))}, 8, trained)
    expected = evaluation_image(np.asarray(picture(0)), 8)
    np.testing.assert_allclose(means["means"], [np.mean(expected, (0, 1))], rtol=1e-5)
    assert task.lines(outputs) == ["colors: [1.  2.5]"]
    assert task.compare_answers(outputs, outputs, None) == {"error": 0.0, "noise": 0.0}
    assert task.pictures is None
    assert task.files(None) == task.facts(None) == task.page({}) == {}
