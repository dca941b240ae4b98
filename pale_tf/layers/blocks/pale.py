"""The Pale Transformer block, Wu et al. 2022, section 3.3."""

import keras

from pale_tf import names
from pale_tf.layers.attention import block_attention
from pale_tf.layers.blocks.state import State
from pale_tf.layers.drop_path import DropPath
from pale_tf.layers.initializers import KERNEL_INITIALIZER
from pale_tf.layers.mlps import MLPS
from pale_tf.layers.normalization import LayerNorm
from pale_tf.layers.position import ConditionalPositionEncoding
from pale_tf.layers.selective_mlp import SelectiveMLP
from pale_tf.layers.token_selection import TokenSelection

WEIGHTS = "attention_weights"  # of those that blocks share
TOKENS = "kept_tokens"  # what `TokenSelection` says of those that have the whole MLP


def pale_block(state, config, stage, block, drop_path_rate):
    """Applies one block: `x += CPE(x)`, `x += PSA(LN(x))`, `x += MLP(LN(x))`.

    A function over layers, not a layer: every part is then a layer of the model under a name that
    reads like the paper, such as `stage3_block5_attention`.

    Args:
        state: The `State` before. With `share_attention`, blocks share attention weights; with
            `keep_tokens`, all blocks of a stage spend their MLPs on the same tokens.
        config: The `PaleConfig` of the network. Without `position="conditional"`, there is no CPE.
        stage: Index of the stage, 0 to 3.
        block: Index of the block in its stage.
        drop_path_rate: Stochastic depth rate of both residual branches.

    Returns:
        The `State` after.
    """
    name, shared = names.block_prefix(stage + 1, block + 1), dict(state.shared)
    attend = make_attention(shared, config, stage, block)
    x = residual(position(state.map, config, name), attend, drop_path_rate, name, 1)
    return State(apply_mlp(x, shared, config, stage, block, drop_path_rate), shared)


def position(x, config, name):
    """`x + CPE(x)`, if positions are conditional."""
    if config.position != "conditional":
        return x
    return ConditionalPositionEncoding(name=f"{name}_position")(x)


def make_attention(shared, config, stage, block):
    """The attention of a block, as a function of maps; weights that blocks share go by `shared`."""
    attention = block_attention(
        config,
        stage,
        block,
        kernel_initializer=KERNEL_INITIALIZER.clone(),
        sharing=_sharing(config, stage, block),
        **config.narrowing("value_dim", stage, block),
        name=f"{names.block_prefix(stage + 1, block + 1)}_attention",
    )

    def attend(x):
        if attention.sharing == "takes":
            return attention([x, *shared[WEIGHTS]])
        if attention.sharing == "gives":
            x, *shared[WEIGHTS] = attention(x)
            return x
        return attention(x)

    return attend


def apply_mlp(x, shared, config, stage, block, drop_path_rate):
    """`x + MLP(LN(x))`, with the MLP that the configuration sets.

    In a stage that keeps some tokens, the first block notes in `shared` which they are. Not before
    its attention: what opens a stage ends in a LayerNorm, after which all tokens have one norm.
    """
    name, keep = names.block_prefix(stage + 1, block + 1), config.of_stage("keep_tokens", stage)
    options = {
        "kernel_initializer": KERNEL_INITIALIZER.clone(),
        **config.narrowing("width", stage, block),
        "name": f"{name}_mlp",
    }
    if keep < 1 and block == 0:
        shared[TOKENS] = TokenSelection(
            keep,
            config.token_scores,
            kernel_initializer=KERNEL_INITIALIZER.clone(),
            name=f"{name}_selection",
        )(x)
    if keep < 1:
        mlp = SelectiveMLP(keep, config.mlp_ratio, **options)
        return residual(x, lambda x: mlp([x, *shared[TOKENS]]), drop_path_rate, name, 2)
    mlp = MLPS[config.mlp](config.mlp_ratio, **options)
    return residual(x, mlp, drop_path_rate, name, 2, mlp.needs_norm)


def _sharing(config, stage, block):
    """Role of a block's attention in its group of blocks: an `Attention`'s `sharing`."""
    if block % config.share_attention:
        return "takes"
    is_alone = config.share_attention == 1 or block + 1 == config.depths[stage]
    return None if is_alone else "gives"


def residual(x, function, drop_path_rate, name, index, is_normed=True):
    """`x + DropPath(function(LN(x)))`, the LayerNorm if `is_normed`."""
    branch = function(LayerNorm(name=f"{name}_norm{index}")(x) if is_normed else x)
    if drop_path_rate > 0.0:
        branch = DropPath(drop_path_rate, name=f"{name}_drop_path{index}")(branch)
    return keras.layers.Add(name=f"{name}_add{index}")([x, branch])
