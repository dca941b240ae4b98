"""The compiled network of a recipe."""

import dataclasses

import pytest

from pale_tf.configs import VARIANTS
from pale_tf.models import BUILDERS
from training.model import make_model, make_optimizer
from training.recipe import MODELS, load_recipe, recipe_names

RECIPE = load_recipe("digits")


def test_the_names_are_those_of_the_networks():
    assert set(MODELS) == set(BUILDERS) == {config.name for config in VARIANTS.values()}
    for name, build in BUILDERS.items():
        assert build.__name__.lower() == name.replace("_", "")


def test_every_recipe_loads():
    assert "digits" in recipe_names()
    for name in recipe_names():
        assert load_recipe(name).model in MODELS


def test_norms_and_biases_are_not_decayed():
    model = make_model(RECIPE, classes=10, steps_per_epoch=19)
    model.optimizer.build(model.trainable_variables)
    decayed = {v.path for v in model.trainable_variables if model.optimizer._use_weight_decay(v)}
    assert decayed == {v.path for v in model.trainable_variables if v.path.endswith("kernel")}


def test_learning_rate_warms_up_and_decays_to_0():
    recipe = dataclasses.replace(RECIPE, epochs=10, warmup_epochs=2, learning_rate=0.5)
    schedule = make_optimizer(recipe, steps_per_epoch=7)._learning_rate
    assert float(schedule(0)) == 0.0
    assert float(schedule(7)) == pytest.approx(0.25)
    assert float(schedule(14)) == pytest.approx(0.5)
    assert float(schedule(14 + 28)) == pytest.approx(0.25)
    assert float(schedule(70)) == pytest.approx(0.0, abs=1e-6)


def test_a_short_run_warms_up_for_half_of_it():
    recipe = dataclasses.replace(RECIPE, epochs=1, warmup_epochs=3, learning_rate=0.5)
    schedule = make_optimizer(recipe, steps_per_epoch=4)._learning_rate
    rates = [float(schedule(step)) for step in range(5)]
    assert rates == pytest.approx([0.0, 0.25, 0.5, 0.25, 0.0], abs=1e-6)
