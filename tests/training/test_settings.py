"""Settings of a run."""

import dataclasses
import pathlib

import pytest

from training import fit
from training.settings import RunSettings


def test_defaults_are_those_of_the_flags():
    _, settings = fit.choose(fit.make_parser().parse_args(["--out", "somewhere"]))
    assert settings == RunSettings(recipe="digits", out=pathlib.Path("somewhere"))


def test_settings_do_not_change():
    settings = RunSettings(recipe="digits", out=pathlib.Path("somewhere"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.seed = 1
