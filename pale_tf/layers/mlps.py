"""The MLPs that a block may have, and the registry of their names.

An entry of `MLPS` makes a layer from a ratio and keyword arguments. Its `needs_norm` says whether a
LayerNorm goes before it. An MLP of your own is such a layer and a line here, or anywhere before a
configuration names it.
"""

from pale_tf.layers.local_mlp import LocalMLP
from pale_tf.layers.mlp import MLP

MLPS = {"plain": MLP, "local": LocalMLP}


def check_mlp(mlp):
    """Raises a `ValueError` unless `mlp` is a name in `MLPS`."""
    if not isinstance(mlp, str) or mlp not in MLPS:
        raise ValueError(f"`mlp` must be one of {sorted(MLPS)}. Received: {mlp!r}")
