"""Tasks: found by name, and their settings checked."""

import dataclasses

import numpy as np
import pytest

from common.errors import SettingError
from common.registry import module_names
from pale_tf.configs import NETWORKS
from tests.training.loop.additional import TASK
from tests.training.small import RECIPE, with_settings
from training import tasks
from training.recipe import load_recipe
from training.tasks import check_settings, load_task, network_config


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


def test_a_network_has_the_options_and_the_attention_of_its_recipe():
    recipe = dataclasses.replace(
        load_recipe("digits"),
        attention="global",
        options={"mlp_ratio": 2, "keep_tokens": [1, 1, 0.5, 1]},
    )
    config = network_config(recipe)
    assert (config.attention, config.mlp_ratio, config.name) == ("global", 2, "pale_n")
    assert config.keep_tokens == (1, 1, 0.5, 1)
    for options, rate in (({}, 0.3), ({"drop_path_rate": 0.0}, 0.0)):
        other = dataclasses.replace(recipe, drop_path_rate=0.3, options=options)
        assert network_config(other).drop_path_rate == rate
    assert network_config(load_recipe("digits")) == NETWORKS["pale_n"]
    with pytest.raises(ValueError, match=r"`options` must be some of .* Received: \['name'\]"):
        network_config(dataclasses.replace(recipe, options={"name": "mine"}))


def test_images_are_counted_unless_the_task_says_otherwise():
    targets = {"boxes": np.zeros((5, 3, 4)), "classes": np.zeros((5, 3))}
    assert TASK.count(targets).numpy().tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"freeze": [0]}, r"`freeze` must be some of the stages \[1, 2, 3, 4\]. Received: \[0\]"),
        ({"layer_decay": 0.0}, "`layer_decay` must be above 0, at most 1. Received: 0.0"),
        ({"layer_decay": 1.5}, "`layer_decay` must be above 0, at most 1. Received: 1.5"),
        ({"teacher": "runs/digits"}, "`teacher`: the task 'segment' has none"),
    ],
)
def test_bad_settings_of_fine_tuning_are_refused(changes, message):
    recipe = dataclasses.replace(load_recipe("segment_folder"), **changes)
    with pytest.raises(SettingError, match=message):
        check_settings(load_task("segment"), recipe)


def test_a_teacher_that_there_is_not_is_refused_before_any_work():
    recipe = dataclasses.replace(load_recipe("folder"), teacher="/absent")
    with pytest.raises(SettingError, match=r"`teacher`: there is no model\.keras in /absent"):
        check_settings(load_task("classify"), recipe)
