"""Which weights do not decay."""

import itertools

import keras
import pytest

from pale_tf import PaleConfig, pale_detector, pale_network, pale_segmenter
from pale_tf.decay import layer_scales, no_weight_decay
from pale_tf.layers.attention import ATTENTIONS

POSITIONS = ("conditional", "absolute", "none")
MERGINGS = ("overlapping", "patch")
PROJECTIONS = ("separable", "linear")
# Every attention with every projection, and over these every position and merging.
SOME = [
    (attention, projection, POSITIONS[index % 3], MERGINGS[index // 3 % 2])
    for index, (attention, projection) in enumerate(itertools.product(ATTENTIONS, PROJECTIONS))
]


def undecayed_by_path(model):
    """The oracle: a rule on the paths of variables."""
    suffixes = ("bias", "gamma", "beta", "_position/map", "/messenger")
    parts = ("_position/depthwise/", "/position_")
    paths = [variable.path for variable in model.trainable_variables]
    return {p for p in paths if p.endswith(suffixes) or any(part in p for part in parts)}


def check(attention, projection, position, merging):
    config = PaleConfig(
        "mine",
        16,
        (1, 1, 1, 1),
        (2, 4, 8, 16),
        attention=attention,
        projection=projection,
        position=position,
        merging=merging,
    )
    model = pale_network(config, input_shape=(32, 32, 3), classes=3)
    found = [variable.path for variable in no_weight_decay(model)]
    assert len(found) == len(set(found))
    assert set(found) == undecayed_by_path(model)


@pytest.mark.parametrize("options", SOME, ids=" ".join)
def test_equals_the_rule_on_paths(options):
    check(*options)


@pytest.mark.parametrize("build", [pale_segmenter, pale_detector])
def test_equals_the_rule_on_paths_in_decoders(build):
    config = PaleConfig("mine", 8, (1, 1, 1, 1), (2, 2, 2, 2))
    model = build(config, 3, channels=8, output_norms=True)
    found = {variable.path for variable in no_weight_decay(model)}
    assert found == undecayed_by_path(model)
    assert {path.split("/")[0] for path in found} >= {"norm_P2", "fpn_P2", "lateral_P4"}


@pytest.mark.slow
def test_equals_the_rule_on_paths_for_every_combination():
    for options in itertools.product(ATTENTIONS, PROJECTIONS, POSITIONS, MERGINGS):
        check(*options)


class Scaled(keras.layers.Layer):
    """Declares one of its two matrices; a sublayer has a bias."""

    def build(self, shape):
        self.table = self.add_weight(shape=(shape[-1], 2), name="table")
        self.matrix = self.add_weight(shape=(shape[-1], 2), name="matrix")
        self.temperature = self.add_weight(shape=(), name="temperature")
        self.dense = keras.layers.Dense(2, name="dense")
        self.dense.build(shape)

    def call(self, x):
        return self.temperature * (self.dense(x) + x @ self.table + x @ self.matrix)

    def no_weight_decay(self):
        return [self.table]


def test_takes_any_model_and_what_its_sublayers_declare():
    inputs = keras.Input((3,))
    inner = keras.Sequential([Scaled(name="scaled")], name="inner")
    outputs = keras.layers.Dense(1, name="last")(inner(inputs))
    found = {v.path.split("scaled/")[-1] for v in no_weight_decay(keras.Model(inputs, outputs))}
    assert found == {"table", "temperature", "dense/bias", "last/bias"}


def test_the_learning_rate_falls_from_block_to_block():
    config = PaleConfig("mine", 8, (1, 2, 1, 1), (2, 2, 2, 2), position="absolute")
    model = pale_network(config, input_shape=(32, 32, 3), classes=3)
    scales = layer_scales(model, 0.5)
    assert set(scales) == {id(variable) for variable in model.trainable_variables}
    # The head is the sixth after what opens the first stage.
    powers = {
        "stage1_merging": 6,
        "stage1_position": 6,
        "stage1_block1": 5,
        "stage2_merging": 5,
        "stage2_block1": 4,
        "stage2_block2": 3,
        "stage3_merging": 3,
        "stage3_block1": 2,
        "stage4_merging": 2,
        "stage4_block1": 1,
        "norm/": 0,
        "predictions": 0,
    }
    for variable in model.trainable_variables:
        (power,) = [power for name, power in powers.items() if variable.path.startswith(name)]
        assert scales[id(variable)] == 0.5**power, variable.path


def test_frozen_layers_have_no_learning_rate():
    model = pale_network(PaleConfig("mine", 8, (1, 1, 1, 1), (2, 2, 2, 2)), classes=3)
    model.get_layer("stage1_block1_mlp").trainable = False
    scales = layer_scales(model, 0.5)
    assert set(scales) == {id(variable) for variable in model.trainable_variables}
