"""State that the blocks of a stage hand on."""

import types
import typing
from collections.abc import Mapping

NOTHING = types.MappingProxyType({})


class State(typing.NamedTuple):
    """Input and output of a block.

    Attributes:
        map: Feature map, Keras tensor `[B, H, W, C]`.
        shared: By name, Keras tensors that the blocks of one stage may share: attention weights,
            kept tokens, a second branch. A block hands on what it does not know. Every stage begins
            with nothing, for its maps are of another size.
    """

    map: typing.Any
    shared: Mapping = NOTHING
