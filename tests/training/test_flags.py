"""Flags of fit.py that other modules rely on; test_fit.py runs them."""

import dataclasses

from training.fit import make_parser
from training.recipe import Recipe
from training.settings import RunSettings


def test_every_flag_sets_a_field_and_nothing_by_default():
    flags = vars(make_parser().parse_args([]))
    fields = {field.name for kind in (Recipe, RunSettings) for field in dataclasses.fields(kind)}
    assert set(flags) - fields == {"resume"}
    recipe = {field.name for field in dataclasses.fields(Recipe)}
    assert {flags[name] for name in set(flags) & recipe} == {None}


def test_flags_of_fine_tuning():
    words = ["--freeze", "1", "2", "--layer-decay", "0.8", "--teacher", "runs/a"]
    flags = make_parser().parse_args(words)
    assert (flags.freeze, flags.layer_decay, flags.teacher) == ([1, 2], 0.8, "runs/a")
