"""How much training changes each weight: which do not decay, and which learn slowly."""

from pale_tf import names


def no_weight_decay(model):
    """Variables of a model that weight decay leaves alone.

    These are biases, what scales and shifts in norms, and every other weight of rank 0 or 1, and
    what layers declare themselves: a layer, or a sublayer, may have a method `no_weight_decay()`
    that returns a list of its own weights, as the layers of this package that encode positions do.
    (timm's models have a method of that name.)

    Args:
        model: Any `keras.Model` that has been built.

    Returns:
        List of the trainable variables concerned, in the model's order.
    """
    declared = {
        id(variable)
        for layer in model._flatten_layers()
        for variable in getattr(layer, "no_weight_decay", list)()
    }
    return [v for v in model.trainable_variables if len(v.shape) <= 1 or id(v) in declared]


def layer_scales(model, decay):
    """Factors of the learning rate of the variables of a model: layer-wise decay.

    What opens the first stage has depth 0, the first block depth 1, and so on through all stages.
    What opens another stage has the depth of the block before it. What belongs to no stage, the
    head, is one deeper than the last block. The factor is `decay` to the power of how much less
    deep than the head a layer is. (As Swin's published code fine-tunes: microsoft/
    Swin-Transformer, optimizer.py; the decay itself is BEiT's.)

    Args:
        model: A functional `keras.Model` that has a backbone.
        decay: In `(0, 1]`.

    Returns:
        Dict of the factors, by `id` of the trainable variables.
    """
    blocks = dict.fromkeys(names.STAGES, 0)
    for layer in model.layers:
        if (stage := names.stage_of(layer.name)) is not None:
            blocks[stage] = max(blocks[stage], names.block_of(layer.name))
    head = sum(blocks.values()) + 1

    def depth(layer):
        stage = names.stage_of(layer.name)
        if stage is None:
            return head
        before = sum(count for other, count in blocks.items() if other < stage)
        return before + names.block_of(layer.name)

    return {
        id(variable): decay ** (head - depth(layer))
        for layer in model.layers
        for variable in layer.trainable_variables
    }
