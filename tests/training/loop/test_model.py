"""The network of a recipe, and which of its weights are decayed."""

import dataclasses

import numpy as np
import pytest
from training.loop.model import make_network

from common.errors import SettingError
from pale_tf import PaleConfig, pale_backbone
from pale_tf.configs import ALIASES, NETWORKS
from training.loop.optimizer import exclude_from_decay, make_optimizer
from training.recipe import MODELS, load_recipe, recipe_names

RECIPE = load_recipe("digits")


def test_the_names_are_those_of_the_networks():
    assert set(MODELS) == set(ALIASES.values())


def test_every_recipe_loads():
    assert "digits" in recipe_names()
    for name in recipe_names():
        assert load_recipe(name).model in MODELS


def test_norms_biases_and_position_kernels_are_not_decayed():
    network, report = make_network(RECIPE, classes=10)
    assert report is None
    optimizer = make_optimizer(RECIPE, steps_per_epoch=19)
    variables = network.trainable_variables
    exclude_from_decay(optimizer, variables)
    optimizer.build(variables)
    decayed = {v.path for v in variables if optimizer._use_weight_decay(v)}
    kernels = {v.path for v in variables if v.path.endswith("kernel")}
    positions = {path for path in kernels if "position" in path}
    assert len(positions) == 7  # one a block
    assert decayed == kernels - positions


@pytest.mark.parametrize(
    ("attention", "name"),
    [
        ("shifted_window", "position_table"),
        ("messenger", "messenger"),
        ("messenger", "position_table"),
    ],
)
def test_what_an_attention_knows_of_positions_is_not_decayed(attention, name):
    config = PaleConfig(
        name="narrow",
        embed_dim=32,
        depths=(1, 1, 1, 1),
        num_heads=(2, 4, 8, 16),
        attention=attention,
        position="absolute",
    )
    network = pale_backbone(config, input_shape=(64, 64, 3))
    optimizer = make_optimizer(RECIPE, steps_per_epoch=19)
    exclude_from_decay(optimizer, network.trainable_variables)
    optimizer.build(network.trainable_variables)
    decayed = {v.path for v in network.trainable_variables if optimizer._use_weight_decay(v)}
    paths = {v.path for v in network.trainable_variables}
    assert any(path.endswith(f"attention/{name}") for path in paths)
    assert "stage1_position/map" in paths
    assert decayed == {path for path in paths if path.endswith("kernel")}


def test_fine_tunes_at_another_size_and_class_count(tmp_path):
    network, _ = make_network(RECIPE, classes=10)
    network.save(tmp_path / "model.keras")
    larger = dataclasses.replace(RECIPE, image_size=64)
    with pytest.warns(UserWarning, match="not loaded, unchanged: predictions/0"):
        tuned, report = make_network(larger, 3, tmp_path / "model.keras")
    assert set(report.skipped) == {"predictions/0", "predictions/1"}
    assert tuned.input_shape == (None, 64, 64, 3)
    assert tuned.output_shape == (None, 3)
    sources = {v.path: v.numpy() for v in network.trainable_variables}
    for variable in tuned.trainable_variables:
        if not variable.path.startswith("predictions"):
            np.testing.assert_array_equal(variable, sources[variable.path])


def test_weights_of_another_network_are_refused(tmp_path):
    (tmp_path / "x.keras").write_text("nothing")
    with pytest.raises(SettingError, match=r"`weights` must be a weights file"):
        make_network(RECIPE, 10, tmp_path / "x.keras")


def test_drop_path_defaults_to_the_variants():
    assert RECIPE.drop_path_rate is None
    rates = [
        layer.rate
        for layer in make_network(RECIPE, 10)[0].layers
        if layer.name.endswith("drop_path1")
    ]
    assert max(rates) == NETWORKS["pale_n"].drop_path_rate
    recipe = dataclasses.replace(RECIPE, drop_path_rate=0.0)
    assert not any("drop_path" in layer.name for layer in make_network(recipe, 10)[0].layers)
