"""Weights that do not decay in training."""


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
