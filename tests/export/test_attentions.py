"""A network with each attention, as SavedModel and as LiteRT file: the network's own numbers."""

import numpy as np
import pytest
import tensorflow as tf

from common.trained import NO_RUN, Trained
from export.litert.conversion import convert
from export.network import inference_network
from export.serving.signatures import make_signatures, write_model
from export.tasks.classify import TASK
from export.verification.running import run_lite
from pale_tf import PaleConfig, names, pale_network
from pale_tf.layers.attention import ATTENTIONS
from tests.pale_tf.layers.checks import randomize

SIZE = 40  # maps of 10, 5, 3 and 2: windows and pales need padding
OPTIONS = {
    "window": {"window_size": 4},
    "shifted_window": {"window_size": 4},
    "shuffled_window": {"window_size": 4},
    "messenger": {"window_size": 4, "region_size": 2},
    "cross_shaped": {"stripe_width": 3},
    "spatial_reduction": {"reduction": 3},
    "deformable": {"stride": 3},
}


# By name, what a configuration sets.
CONFIGS = {
    **{
        name: {"attention": name, "attention_options": OPTIONS.get(name, {})} for name in ATTENTIONS
    },
    "shared": {"share_attention": 2},
    "pooled": {"attention_options": {"pooling": 2}},
    "local": {"mlp": "local"},
    "selected": {"keep_tokens": 0.5},
    "selected_by_norm": {"keep_tokens": 0.7, "token_scores": "norm"},
    "groups": {"attention_options": {"keep": 0.5}},
    "strided": {"attention": "global", "attention_options": {"stride": 2}},
    "conformer": {"block": "conformer"},
    "mobile_former": {"block": "mobile_former"},
    "ds": {"block": "ds"},
}
FAST = ("pale",)  # the rest takes minutes together


@pytest.fixture(
    params=[
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in CONFIGS
    ]
)
def network(request):
    config = PaleConfig(
        "mine",
        16,
        (2, 1, 1, 1),  # two blocks where there are tokens to shift and to shuffle
        (2, 4, 8, 16),
        pale_size=3,
        **CONFIGS[request.param],
    )
    network = pale_network(config, input_shape=(SIZE, SIZE, 3), classes=7)
    for layer in network.layers:
        if names.block_of(layer.name):
            randomize(layer, seed=0)
    return network


def test_exports_to_a_saved_model_and_to_built_in_operations(network, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3)).astype("float32")
    expected = network.predict(images, verbose=0)
    fused = inference_network(network, TASK)

    trained = Trained(network, tmp_path / "model.keras", NO_RUN, labels=[])
    write_model(tmp_path / "1", fused, make_signatures(fused, trained, TASK, "off"))
    serving = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    probabilities = serving(images=tf.constant(images))["probabilities"]
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)

    (tmp_path / "model.tflite").write_bytes(convert(fused, TASK, batch=1))
    outputs, report = run_lite(tmp_path / "model.tflite", images)
    np.testing.assert_allclose(outputs["serving_default/probabilities"], expected, atol=1e-4)
    (figures,) = report.values()
    # LiteRT's interpreter without Flex refuses what is not built in; a custom operation says so.
    assert "CUSTOM" not in figures["kinds"]
