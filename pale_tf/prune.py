"""Channel pruning: a smaller network out of one that has learned which units it needs.

Vision Transformer Pruning (Zhu et al. 2021, VTP), on hidden units of the MLPs and on the values of
the attentions. The channels between the blocks stay.
"""

import dataclasses

import keras
import numpy as np

from pale_tf import names
from pale_tf.checks import check_keep
from pale_tf.layers.attention import Attention
from pale_tf.layers.folding import assign_weights
from pale_tf.layers.mlp import MLP


def prune(model, keep):
    """Makes the ordinary network that is left of one with scores.

    Of all hidden units of the MLPs together, those with the largest absolute scores stay, and
    likewise of all channels of values; the heads of a block keep equally many. A block keeps one at
    least. What stays is multiplied by its score once and for all. At `keep=1`, numbers stay the
    same.

    Args:
        model: A functional `keras.Model` whose `PaleConfig` has a `sparsity`, trained.
        keep: Share of the units, and of the channels, that stay, in `(0, 1]`.

    Returns:
        A `keras.Model` with the same inputs, outputs and names of layers.

    Raises:
        ValueError: If the share is out of range, or no layer has scores.
    """
    check_keep("keep", keep)
    scored = {layer.name: layer for layer in model.layers if getattr(layer, "sparsity", 0)}
    if not scored:
        raise ValueError(
            "`model` must have scores, which a `PaleConfig` with a `sparsity` gives it. "
            f"Received: {model.name!r}, which has none"
        )
    places = {}
    for kind in (MLP, Attention):
        layers = [layer for layer in scored.values() if isinstance(layer, kind)]
        places |= choose({layer.name: layer.importance() for layer in layers}, keep)

    def smaller(layer):
        kept = places.get(layer.name)
        config = layer.get_config() if kept is None else layer.pruned_config(kept.shape[1])
        return type(layer).from_config(config)

    pruned = keras.models.clone_model(model, clone_function=smaller)
    for layer in pruned.layers:
        original = model.get_layer(layer.name)
        if layer.name in places:
            assign_weights(layer, original.pruned_weights(places[layer.name]))
        else:
            layer.set_weights(original.get_weights())
    return pruned


def choose(importances, keep):
    """Chooses what stays of several layers, by one threshold for all of them.

    Args:
        importances: By name of a layer, the importance of its units, `[heads, units]`.
        keep: Share of all units that stays.

    Returns:
        By name, the places of those that stay, ascending, int `[heads, count]`.
    """
    # Heads keep equally many: the second best units of all heads of a layer stay or go together.
    levels = {name: -np.sort(-values).mean(axis=0) for name, values in importances.items()}
    order = sorted(
        ((level, name, rank) for name, row in levels.items() for rank, level in enumerate(row)),
        key=lambda entry: (-entry[0], entry[2]),
    )
    left = round(keep * sum(values.size for values in importances.values()))
    counts = dict.fromkeys(importances, 1)
    left -= sum(len(values) for values in importances.values())
    for _, name, rank in order:
        if not rank:  # it stays anyway
            continue
        left -= len(importances[name])
        if left < 0:
            break
        counts[name] += 1
    return {
        name: np.sort(np.argsort(-values, axis=1, kind="stable")[:, : counts[name]])
        for name, values in importances.items()
    }


def pruned_config(config, model):
    """The configuration of a network that `prune` made.

    Args:
        config: The `PaleConfig` of the network before.
        model: The `keras.Model` that `prune` returned.

    Returns:
        A `PaleConfig`: its networks have the layers of `model`.
    """

    def widths(part, field):
        return tuple(
            tuple(
                getattr(model.get_layer(f"{names.block_prefix(stage, block + 1)}_{part}"), field)
                for block in range(depth)
            )
            for stage, depth in enumerate(config.depths, start=1)
        )

    return dataclasses.replace(
        config,
        sparsity=0.0,
        mlp_widths=widths("mlp", "width"),
        value_dims=widths("attention", "value_dim"),
    )
