"""Gradient checkpointing: less memory in training for more time (Chen et al. 2016)."""

from pale_tf import names
from pale_tf.layers.attention import Attention
from pale_tf.layers.cross_attention import CrossAttention
from pale_tf.layers.mlp import MLP


def rematerialize(model, stages=names.STAGES):
    """Makes blocks compute again, in the backward pass, what they would otherwise keep for it.

    Of each block, the weights of the attention and the hidden layer of the MLP are not kept: they
    are most of its memory. Projections are kept, for their BatchNorm may see a batch only once.
    Numbers stay the same. Call it before the model is trained or traced; a saved model knows
    nothing of it.

    Args:
        model: A functional `keras.Model` of this package.
        stages: Stages whose blocks do so, of 1 to 4. The others keep everything.

    Raises:
        ValueError: If `stages` names another stage, or an attention has dropout, which would
            drop other weights the second time.
    """
    stages = tuple(stages)
    if not set(stages) <= set(names.STAGES):
        raise ValueError(f"`stages` must be some of {names.STAGES}. Received: {stages}")
    kinds = Attention | CrossAttention | MLP
    layers = [layer for layer in model.layers if isinstance(layer, kinds)]
    dropping = [layer.name for layer in layers if getattr(layer, "dropout", 0.0) > 0.0]
    if dropping:
        raise ValueError(f"`model` must have no attention dropout. Received: {dropping}")
    for layer in layers:
        layer.rematerialize = names.stage_of(layer.name) in stages
