"""The cheaper forms of a network that benchmarks/efficiency.py compares."""

import dataclasses
import typing

from pale_tf import PaleConfig
from pale_tf.configs import NETWORKS

KEEP = 0.6  # share of the channels that pruning leaves


class Variant(typing.NamedTuple):
    """A form: the fields of a `PaleConfig` that make it, where it is timed and where it is trained.

    Attributes:
        timed: Of Pale-T at 224×224.
        trained: Of `SMALL`, on digits. Its third stage has four tokens, so all stages select there.
    """

    timed: dict
    trained: dict


def _both(**options):
    return Variant(options, options)


def _even_widths(config, keep):
    """Fields of a configuration whose blocks all keep the same share of units and of values."""
    mlps, values = [], []
    for stage, depth in enumerate(config.depths):
        channels = config.stage_dims[stage]
        mlps.append((round(keep * config.mlp_ratio * channels),) * depth)
        values.append((round(keep * channels / config.num_heads[stage]),) * depth)
    return {"mlp_widths": tuple(mlps), "value_dims": tuple(values)}


# Two blocks in each stage, so that neighbors share, on maps of 8×8 to 1×1.
SMALL = PaleConfig("small", 16, (2, 2, 2, 2), (2, 4, 8, 16), pale_size=2)

PLAIN = "plain"
PRUNED = f"channels {KEEP}"  # pruned after training, so that blocks keep different shares
VARIANTS = {
    PLAIN: _both(),
    "sharing 2": _both(share_attention=2),
    "tokens 0.7": Variant({"keep_tokens": (1, 1, 0.7, 1)}, {"keep_tokens": 0.7}),
    "tokens 0.5": Variant({"keep_tokens": (1, 1, 0.5, 1)}, {"keep_tokens": 0.5}),
    "groups 0.7": _both(attention_options={"keep": 0.7}),
    "pooling 2": _both(attention_options={"pooling": 2}),
    PRUNED: Variant(_even_widths(NETWORKS["pale_t"], KEEP), {}),
    "local": _both(mlp="local"),
    "conformer": _both(block="conformer"),
    "ds": _both(block="ds"),
    "mobile_former": _both(block="mobile_former"),
}


def timed_config(variant):
    """The configuration of Pale-T in a form."""
    return dataclasses.replace(NETWORKS["pale_t"], **VARIANTS[variant].timed)


def trained_config(variant):
    """The configuration of the small network in a form, before anything is pruned."""
    return dataclasses.replace(SMALL, **VARIANTS[variant].trained)
