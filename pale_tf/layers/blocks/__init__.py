"""The kinds of block that the stages may be made of, one a file, and the registry of their names.

An entry of `BLOCKS` is a function `(state, config, stage, block, drop_path_rate) -> State`; the
arguments are those of `apply_block`. A kind of your own is such a function and a line here, or
anywhere before a configuration names it. Its layers are named as `pale_tf.names` says, and a layer
gives the map.
"""

from pale_tf import names
from pale_tf.layers.blocks.conformer import conformer_block
from pale_tf.layers.blocks.ds import ds_block
from pale_tf.layers.blocks.mobile_former import mobile_former_block
from pale_tf.layers.blocks.pale import pale_block
from pale_tf.layers.blocks.state import State

__all__ = ["BLOCKS", "State", "apply_block", "check_block"]

BLOCKS = {
    "pale": pale_block,
    "conformer": conformer_block,
    "ds": ds_block,
    "mobile_former": mobile_former_block,
}


def apply_block(state, config, stage, block, drop_path_rate):
    """Applies a block of the kind that a configuration sets.

    Args:
        state: The `State` that the block before gave or, in the first block of a stage, one with
            nothing shared.
        config: The `PaleConfig` of the network.
        stage: Index of the stage, 0 to 3.
        block: Index of the block in its stage.
        drop_path_rate: Stochastic depth rate of the block.

    Returns:
        A `State`, of which the map has the shape that it had.

    Raises:
        ValueError: If there is no such kind, or the layer that gives the map does not have the
            name of a layer of this block.
    """
    check_block(config.block)
    state = BLOCKS[config.block](state, config, stage, block, drop_path_rate)
    prefix = names.block_prefix(stage + 1, block + 1)
    last = state.map._keras_history.operation.name
    if not last.startswith(f"{prefix}_"):
        raise ValueError(
            f"`block` must be of a kind whose map comes from a layer named {prefix}_…: stages are "
            f"found by the names of their layers. Received: {config.block!r}, with {last!r}"
        )
    return state


def check_block(block):
    """Raises a `ValueError` unless `block` is a name in `BLOCKS`."""
    if not isinstance(block, str) or block not in BLOCKS:
        raise ValueError(f"`block` must be one of {sorted(BLOCKS)}. Received: {block!r}")
