"""The cheaper forms that are compared: one thing differs from the plain network, as it says."""

import dataclasses

import pytest

from benchmarks.efficiency_variants import (
    KEEP,
    PLAIN,
    PRUNED,
    SMALL,
    VARIANTS,
    timed_config,
    trained_config,
)
from pale_tf.configs import NETWORKS


def changes(config, base):
    """Fields in which two configurations differ."""
    fields = dataclasses.fields(base)
    return {f.name for f in fields if getattr(config, f.name) != getattr(base, f.name)}


def test_the_plain_form_is_the_network():
    assert timed_config(PLAIN) == NETWORKS["pale_t"]
    assert trained_config(PLAIN) == SMALL == trained_config(PRUNED)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in (PLAIN, PRUNED)])
def test_a_form_changes_one_field(variant):
    (timed,) = changes(timed_config(variant), NETWORKS["pale_t"])
    (trained,) = changes(trained_config(variant), SMALL)
    assert timed == trained


def test_the_pruned_form_keeps_its_share():
    config = timed_config(PRUNED)
    assert changes(config, NETWORKS["pale_t"]) == {"mlp_widths", "value_dims"}
    assert [len(stage) for stage in config.mlp_widths] == [2, 2, 16, 2]
    widths = {4 * 64 * 2**stage: config.mlp_widths[stage][0] for stage in range(4)}
    assert all(abs(left / whole - KEEP) < 0.01 for whole, left in widths.items())
    assert config.value_dims[2] == (round(KEEP * 32),) * 16
