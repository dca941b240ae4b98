"""Conformer's block: a convolutional branch beside the attention (Peng et al. 2021, section 3)."""

import keras

from pale_tf import names
from pale_tf.layers.blocks.pale import pale_block
from pale_tf.layers.blocks.state import State
from pale_tf.layers.convolution import ConvNorm
from pale_tf.layers.initializers import KERNEL_INITIALIZER
from pale_tf.layers.normalization import LayerNorm

BRANCH = "convolutional_branch"  # a map `[B, H, W, C]`
EXPANSION = 4  # of a bottleneck, as in ResNet


def conformer_block(state, config, stage, block, drop_path_rate):
    """Applies a bottleneck, the pale block, and a bottleneck, coupled to each other.

    What the convolution of the first bottleneck gives goes down to the tokens before they attend;
    what the pale block gives goes up to the convolution of the second one. Conformer's branches
    have widths and sizes of their own, so that its feature coupling units pool and interpolate.
    Here, both have those of the stage: nothing is resized. The branch begins in each stage as the
    map; in the stage's last block, it ends with what goes down.

    Args:
        state, config, stage, block, drop_path_rate: As in `pale_block`.

    Returns:
        The `State` after, with the branch.
    """
    name = names.block_prefix(stage + 1, block + 1)
    channels = state.map.shape[-1]
    branch, inner = bottleneck(state.shared.get(BRANCH, state.map), f"{name}_branch")
    x = keras.layers.Add(name=f"{name}_join")([state.map, _down(inner, channels, name)])
    state = pale_block(State(x, state.shared), config, stage, block, drop_path_rate)
    if block + 1 == config.depths[stage]:
        return state
    up = ConvNorm(channels // EXPANSION, 1, name=f"{name}_up")(state.map)
    branch, _ = bottleneck(branch, f"{name}_fusion", coupled=up)
    return State(state.map, {**state.shared, BRANCH: branch})


def bottleneck(x, name, coupled=None):
    """Applies ResNet's bottleneck (He et al. 2016).

    Args:
        x: Keras tensor `[B, H, W, C]`.
        name: Begins the names of its layers.
        coupled: Keras tensor `[B, H, W, C/4]`, a summand of what the 3×3 convolution sees, or None.

    Returns:
        `[B, H, W, C]`, and what the 3×3 convolution gives, `[B, H, W, C/4]`.
    """
    channels = x.shape[-1]
    y = ConvNorm(channels // EXPANSION, 1, name=f"{name}_conv1")(x)
    if coupled is not None:
        y = keras.layers.Add(name=f"{name}_couple")([y, coupled])
    inner = ConvNorm(channels // EXPANSION, 3, name=f"{name}_conv2")(y)
    y = ConvNorm(channels, 1, activate=False, name=f"{name}_conv3")(inner)
    y = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_relu")(y), inner


def _down(inner, channels, name):
    """From the branch to the tokens: a point-wise layer, LayerNorm and GELU."""
    x = keras.layers.Dense(
        channels, kernel_initializer=KERNEL_INITIALIZER.clone(), name=f"{name}_down"
    )(inner)
    x = LayerNorm(name=f"{name}_down_norm")(x)
    return keras.layers.Activation("gelu", name=f"{name}_down_gelu")(x)
