"""Recipes: found by name, written and read back."""

import dataclasses
import json

import pytest

from common.errors import SettingError
from pale_tf import PaleConfig
from pale_tf.configs import NETWORKS
from pale_tf.layers.attention import ATTENTIONS
from training.recipe import as_json, load_recipe, read_recipe, recipe_names
from training.tasks import check_settings, load_task


def test_every_recipe_loads():
    assert {"digits", "folder", "imagenet_pale_t"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.model in NETWORKS
        assert recipe.attention is None or recipe.attention in ATTENTIONS
        check_settings(load_task(recipe.task), recipe)


@pytest.mark.parametrize("name", recipe_names())
def test_a_run_gives_its_recipe_back(name, tmp_path):
    recipe = load_recipe(name)
    (tmp_path / "config.json").write_text(json.dumps({"recipe": as_json(recipe)}))
    assert read_recipe(tmp_path) == recipe


def test_a_configuration_of_ones_own_comes_back_too(tmp_path):
    config = PaleConfig(
        name="own", embed_dim=32, depths=(1, 1, 2, 1), num_heads=(2, 4, 8, 16), pale_size=(3, 5)
    )
    recipe = dataclasses.replace(load_recipe("digits"), model=config)
    (tmp_path / "config.json").write_text(json.dumps({"recipe": as_json(recipe)}))
    assert read_recipe(tmp_path) == recipe


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"recipe": {}}', '{"recipe": {"task": "classify", "x": 1}}']
)
def test_a_folder_that_holds_no_run(text, tmp_path):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(SettingError, match=r"config.json is not the configuration of a run"):
        read_recipe(tmp_path)
