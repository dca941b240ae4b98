"""A run, before its first step."""

import dataclasses

import pytest

from common.errors import SettingError
from tests.training.small import RECIPE
from training.loop.run import train
from training.settings import RunSettings


def test_settings_that_the_task_does_not_know_write_nothing(tmp_path):
    recipe = dataclasses.replace(RECIPE, settings={"sharpen": 1})
    with pytest.raises(SettingError, match=r"`settings` of the task 'classify': .*'sharpen'"):
        train(recipe, RunSettings(recipe="digits", out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
