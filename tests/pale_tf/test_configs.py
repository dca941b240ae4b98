"""PaleConfig and the table of networks."""

import dataclasses
import math

import pytest

from common.complexity import macs_of
from pale_tf import pale_network
from pale_tf.configs import ALIASES, NETWORKS, PaleConfig, resolve_config

PALE_T = NETWORKS["pale_t"]

# Trainable parameters and multiply-accumulates at 224x224, counted; then millions and billions as
# the papers and their repositories round them.
PEERS = {
    "swin_t": (28_288_354, 4_490_566_656, 28, 4.5),
    "swin_s": (49_606_258, 8_740_875_264, 50, 8.7),
    "swin_b": (87_768_224, 15_430_946_816, 88, 15.4),
    "cswin_t": (22_320_552, 4_324_203_008, 23, 4.3),
    "cswin_s": (34_643_304, 6_800_714_752, 35, 6.9),
    "cswin_b": (77_382_184, 14_955_348_480, 78, 15.0),
    "cvt_13": (19_997_096, 4_546_505_216, 20, 4.5),
}


def test_stage_dims_double():
    assert PALE_T.stage_dims == (64, 128, 256, 512)
    assert NETWORKS["cvt_13"].stage_dims == (64, 192, 384)  # unless they are given


def test_configs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PALE_T.embed_dim = 1


def test_the_table_holds_four_families():
    pale = ["pale_n", "pale_t", "pale_s", "pale_b"]
    assert list(NETWORKS) == pale + list(PEERS)
    assert all(config.name == name for name, config in NETWORKS.items())
    assert list(ALIASES.items()) == list(zip(["nano", "tiny", "small", "base"], pale, strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "swin_t",
        "cswin_t",
        "cvt_13",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("swin_s", "swin_b", "cswin_s", "cswin_b")
        ),
    ],
)
def test_peers_have_their_papers_costs(name):
    parameters, macs, published_parameters, published_macs = PEERS[name]
    assert costs(pale_network(name)) == (parameters, macs)
    # Of CSWin-T, the paper rounds up more than the sum of its layers comes to.
    assert parameters / 1e6 == pytest.approx(published_parameters, rel=0.03)
    assert macs / 1e9 == pytest.approx(published_macs, rel=0.015)


def test_swin_with_the_mlp_of_localvit_has_its_published_costs():
    """29.1 million, says the README of https://github.com/ofsoundof/LocalViT, and 4.5 billion, the
    second version of its paper (https://arxiv.org/abs/2104.05707v2)."""
    config = dataclasses.replace(NETWORKS["swin_t"], mlp="local")
    parameters, macs = costs(pale_network(config))
    assert parameters / 1e6 == pytest.approx(29.1, abs=0.05)
    assert macs / 1e9 == pytest.approx(4.5, abs=0.05)


def costs(model):
    """Trainable parameters, and multiply-accumulates of an image."""
    parameters = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return parameters, macs_of(lambda image: model(image, training=False), (224, 224, 3))


def test_depths_heads_and_rates_are_those_of_the_published_code():
    shapes = {
        name: (config.embed_dim, config.depths, config.num_heads, config.drop_path_rate)
        for name, config in NETWORKS.items()
        if name in PEERS
    }
    assert shapes == {
        "swin_t": (96, (2, 2, 6, 2), (3, 6, 12, 24), 0.2),
        "swin_s": (96, (2, 2, 18, 2), (3, 6, 12, 24), 0.3),
        "swin_b": (128, (2, 2, 18, 2), (4, 8, 16, 32), 0.5),
        "cswin_t": (64, (1, 2, 21, 1), (2, 4, 8, 16), 0.2),
        "cswin_s": (64, (2, 4, 32, 2), (2, 4, 8, 16), 0.4),
        "cswin_b": (96, (2, 4, 32, 2), (4, 8, 16, 32), 0.5),
        "cvt_13": ((64, 192, 384), (1, 2, 10), (1, 3, 6), 0.1),
    }


def test_a_configuration_is_found_by_either_name_or_is_itself():
    assert resolve_config("nano") is resolve_config("pale_n") is NETWORKS["pale_n"]
    assert resolve_config("cswin_b") is NETWORKS["cswin_b"]
    mine = PaleConfig("mine", 16, (1, 1, 2, 1), (2, 2, 4, 4))
    assert resolve_config(mine) is mine


@pytest.mark.parametrize("config", ["huge", "Tiny", None, ["tiny"], 3])
def test_what_is_no_configuration(config):
    with pytest.raises(ValueError, match=r"`config` must be a `PaleConfig` or one of .*Received: "):
        resolve_config(config)
