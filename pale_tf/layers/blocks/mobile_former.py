"""Mobile-Former's block: a few global tokens beside the map (Chen et al. 2022, section 3)."""

import keras

from pale_tf import names
from pale_tf.layers.blocks.pale import pale_block
from pale_tf.layers.blocks.state import State
from pale_tf.layers.bridge import Former, FormerToMobile, GlobalTokens, MobileToFormer
from pale_tf.layers.initializers import KERNEL_INITIALIZER
from pale_tf.layers.normalization import LayerNorm

TOKENS = "global_tokens"  # `[B, COUNT, WIDTH]`
COUNT, WIDTH = 6, 192  # as in Mobile-Former-294M
BRIDGE_HEADS, FORMER_HEADS = 2, 4  # as in its published code


def mobile_former_block(state, config, stage, block, drop_path_rate):
    """Tokens read the map and each other, the pale block follows, and the map reads the tokens.

    The pale block is in the place of Mobile-Former's bottleneck. Its map is a sum of residuals, so
    that a LayerNorm goes before the bridge reads it. Tokens begin anew in each stage, as all that
    blocks share.

    Args:
        state, config, stage, block, drop_path_rate: As in `pale_block`.

    Returns:
        The `State` after, with the tokens.
    """
    name = names.block_prefix(stage + 1, block + 1)

    def layer(kind, part, heads):
        initializer = KERNEL_INITIALIZER.clone()
        return kind(heads, kernel_initializer=initializer, name=f"{name}_{part}")

    tokens = state.shared.get(TOKENS)
    if tokens is None:
        tokens = GlobalTokens(COUNT, WIDTH, name=f"{name}_tokens")(state.map)
    x = LayerNorm(name=f"{name}_read_norm")(state.map)
    tokens = layer(MobileToFormer, "to_former", BRIDGE_HEADS)([x, tokens])
    tokens = layer(Former, "former", FORMER_HEADS)(tokens)
    state = pale_block(state, config, stage, block, drop_path_rate)
    x = LayerNorm(name=f"{name}_write_norm")(state.map)
    update = layer(FormerToMobile, "to_mobile", BRIDGE_HEADS)([x, tokens])
    x = keras.layers.Add(name=f"{name}_add3")([state.map, update])
    return State(x, {**state.shared, TOKENS: tokens})
