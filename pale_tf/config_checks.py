"""Checks of configurations, before anything is built."""

import itertools
import math
import numbers

from pale_tf.checks import check_keep, check_pair, check_positive_int, check_rate
from pale_tf.layers.attention import block_attention
from pale_tf.layers.attention.base import PROJECTIONS
from pale_tf.layers.blocks import check_block
from pale_tf.layers.mlps import check_mlp
from pale_tf.layers.scores import check_sparsity
from pale_tf.layers.token_selection import check_scores

POSITIONS = ("conditional", "absolute", "none")
MERGINGS = ("overlapping", "patch")


def check_config(config):
    """Raises a `ValueError` that names a field of a `PaleConfig` unless all are in range, fit each
    other, and the layers can be made."""
    _check_stages(config)
    _check_choices(config)
    check_pair("pale_size", config.pale_size)
    ratio = config.mlp_ratio
    if not isinstance(ratio, numbers.Real) or not 0 < ratio < math.inf:
        raise ValueError(f"`mlp_ratio` must be positive, finite. Received: {ratio}")
    check_rate("drop_path_rate", config.drop_path_rate)
    check_positive_int("share_attention", config.share_attention)
    _check_keep_tokens(config)
    _check_attentions(config)
    _check_widths(config)


def _check_stages(config):
    """Checks the fields that have, or may have, one entry per stage."""
    count = len(config.depths) if isinstance(config.depths, tuple) else 0
    if count not in (3, 4):
        raise ValueError(
            f"`depths` must have one entry per stage, 3 or 4. Received: {config.depths}"
        )
    for field in ("num_heads", "embed_dim", "attention", "attention_options", "keep_tokens"):
        value = getattr(config, field)
        alike = field == "num_heads"  # or one entry may stand for all
        if len(value) != count if isinstance(value, tuple) else alike:
            raise ValueError(f"`{field}` must have one entry per stage, {count}. Received: {value}")
    for field in ("depths", "num_heads", "embed_dim"):
        value = getattr(config, field)
        for entry in value if isinstance(value, tuple) else (value,):
            check_positive_int(field, entry)
    for stage in config.stages:
        options = config.of_stage("attention_options", stage)
        if not isinstance(options, dict):
            raise ValueError(f"`attention_options` must be a dict. Received: {options!r}")


def _check_choices(config):
    """Checks the fields that take one of a few names."""
    check_block(config.block)
    check_mlp(config.mlp)
    known = {"projection": PROJECTIONS, "position": POSITIONS, "merging": MERGINGS}
    for field, names in known.items():
        value = getattr(config, field)
        if value not in names:
            raise ValueError(f"`{field}` must be one of {names}. Received: {value!r}")


def _check_keep_tokens(config):
    """Checks the shares of tokens that are kept, and what goes with them."""
    shares = [config.of_stage("keep_tokens", stage) for stage in config.stages]
    for share in shares:
        check_keep("keep_tokens", share)
    if min(shares) < 1 and config.mlp != "plain":
        raise ValueError(
            f"`keep_tokens` must be 1 with `mlp` {config.mlp!r}, which needs the whole map. "
            f"Received: {config.keep_tokens}"
        )
    check_scores("token_scores", config.token_scores)


def _check_attentions(config):
    """Checks that the attentions can be made, divide the channels, and can share their weights."""
    for stage, channels in enumerate(config.stage_dims):
        # They may alternate.
        first, second = (block_attention(config, stage, block, name="check") for block in (0, 1))
        for attention in (first, second):
            attention.check_channels(channels)
        alike = first.can_share and first.get_config() == second.get_config()
        if config.share_attention > 1 and not alike:
            raise ValueError(
                "`share_attention` must be 1 for an attention that cannot share its weights with "
                f"the next block. Received: {config.share_attention}, with "
                f"{config.of_stage('attention', stage)!r}"
            )
        if config.share_attention > 1:  # the attention says what else it needs
            block_attention(config, stage, 0, sharing="gives", name="check")


def _check_widths(config):
    """Checks the widths of pruned blocks, and that what has scores can be pruned."""
    check_sparsity(config.sparsity)
    for field in ("mlp_widths", "value_dims"):
        value = getattr(config, field)
        if value is None:
            continue
        shape = tuple(map(len, value)) if _is_nested(value) else None
        if shape != config.depths:
            raise ValueError(
                f"`{field}` must be None or have an entry for each block of each stage, "
                f"{config.depths}. Received: {value}"
            )
        for width in itertools.chain(*value):
            check_positive_int(field, width)
    if config.sparsity and config.mlp != "plain":
        raise ValueError(
            f"`sparsity` must be 0 with `mlp` {config.mlp!r}, which is not pruned. "
            f"Received: {config.sparsity}"
        )
    if config.sparsity or config.value_dims is not None:
        for stage in config.stages:  # the attention says if it is not pruned
            block_attention(
                config, stage, 0, **config.narrowing("value_dim", stage, 0), name="check"
            )


def _is_nested(value):
    return isinstance(value, tuple) and all(isinstance(entry, tuple) for entry in value)
