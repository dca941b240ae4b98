"""The attentions that a stage may have, one a file, and the registry of their names.

An entry of `ATTENTIONS` is a function of a `Place` and of the arguments of a layer: it makes the
layer for one block. An attention of your own is a subclass of `Attention` and a line here, or
anywhere before a network is built: docs/attentions.md.
"""

import typing

from pale_tf.layers.attention.axial import AxialAttention, axial
from pale_tf.layers.attention.base import Attention
from pale_tf.layers.attention.cross_shaped import CrossShapedAttention, cross_shaped
from pale_tf.layers.attention.deformable import DeformableAttention, deformable
from pale_tf.layers.attention.global_attention import GlobalAttention, global_attention
from pale_tf.layers.attention.messenger import MessengerAttention, messenger
from pale_tf.layers.attention.pale import PSAttention, parallel, sequential, vanilla
from pale_tf.layers.attention.shuffled_window import ShuffledWindowAttention, shuffled_window
from pale_tf.layers.attention.spatial_reduction import (
    SpatialReductionAttention,
    spatial_reduction,
)
from pale_tf.layers.attention.window import WindowAttention, shifted_window, window

__all__ = [
    "ATTENTIONS",
    "Attention",
    "AxialAttention",
    "CrossShapedAttention",
    "DeformableAttention",
    "GlobalAttention",
    "MessengerAttention",
    "PSAttention",
    "Place",
    "ShuffledWindowAttention",
    "SpatialReductionAttention",
    "WindowAttention",
    "block_attention",
    "make_attention",
]

ATTENTIONS = {
    "pale": parallel,
    "pale_vanilla": vanilla,
    "pale_sequential": sequential,
    "global": global_attention,
    "axial": axial,
    "window": window,
    "shifted_window": shifted_window,
    "shuffled_window": shuffled_window,
    "messenger": messenger,
    "cross_shaped": cross_shaped,
    "spatial_reduction": spatial_reduction,
    "deformable": deformable,
}


class Place(typing.NamedTuple):
    """Where in a network a block is.

    Attributes:
        stage: Index of the stage, 0 to 3.
        block: Index of the block in its stage.
        pale_size: Pale size of the network.
    """

    stage: int
    block: int
    pale_size: int | tuple[int, int] = 7


def make_attention(attention, place, num_heads, **options):
    """Makes the attention of a block.

    Args:
        attention: A name in `ATTENTIONS`.
        place: The `Place` of the block; it sets what the attention's paper lets depend on it.
        num_heads: Attention heads over all channels.
        **options: Further arguments of the layer. They go before what the place sets.

    Returns:
        An `Attention`.

    Raises:
        ValueError: If there is no such attention, or it does not take the arguments.
    """
    if not isinstance(attention, str) or attention not in ATTENTIONS:
        raise ValueError(
            f"`attention` must be one of {sorted(ATTENTIONS)}. Received: {attention!r}"
        )
    try:
        return ATTENTIONS[attention](place, num_heads=num_heads, **options)
    except (TypeError, ValueError) as error:  # such as an argument that is there already
        if isinstance(error, ValueError) and "Unrecognized keyword" not in str(error):
            raise  # the layer says what is wrong with a value
        raise ValueError(
            f"`attention_options` must be arguments of {attention!r}. Received: {options} ({error})"
        ) from error


def block_attention(config, stage, block, **options):
    """Makes the attention that a configuration sets for a block.

    Args:
        config: A `PaleConfig`.
        stage: Index of the stage, 0 to 3.
        block: Index of the block in its stage.
        **options: Further arguments of the layer, such as its name.

    Returns:
        An `Attention`.
    """
    return make_attention(
        config.of_stage("attention", stage),
        Place(stage, block, config.pale_size),
        config.num_heads[stage],
        **{
            "projection": config.projection,
            **config.of_stage("attention_options", stage),
            **options,
        },
    )
