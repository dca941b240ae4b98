"""Softmax attention inside groups of tokens: what every attention of this package ends in."""

from keras import ops

# Added to the score of a masked key, whose weight is then exactly 0 in float32. Finite, because it
# is multiplied by 0 for the other keys.
MASKED = -1e9


def softmax_attention(query, key, value, bias=None, dropout=None):
    """Attends from every query of a group to every key of the same group.

    Args:
        query: `[B, G, L, D]`, scaled; a group `G` is one head of one set of tokens.
        key: `[B, G, M, D]`.
        value: `[B, G, M, E]`.
        bias: Summand of the scores: float32, broadcast to `[B, G, L, M]`; or None.
        dropout: Function of the weights, or None.

    Returns:
        `[B, G, L, E]`.
    """
    weights = softmax_weights(query, key, bias, value.dtype)
    if dropout is not None:
        weights = dropout(weights)
    return ops.matmul(weights, value)


def softmax_weights(query, key, bias, dtype):
    """The weights of `softmax_attention`, `[B, G, L, M]`: made in float32, given as `dtype`."""
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # [B, G, L, M]
    scores = ops.cast(scores, "float32")
    if bias is not None:
        scores = scores + bias
    return ops.cast(_softmax(scores), dtype)


def mask_bias(mask, num_heads):
    """Turns a mask into a bias.

    Args:
        mask: Boolean `[N, M]`, false for keys that nobody is to see, or `[N, L, M]`, false for
            keys that a query is not to see; or None.
        num_heads: Heads of each of the `N` sets of tokens.

    Returns:
        float32 `[N·heads, 1, M]` or `[N·heads, L, M]`; None if there is no mask.
    """
    if mask is None:
        return None
    bias = (1.0 - ops.cast(mask, "float32")) * MASKED
    if len(bias.shape) == 2:
        bias = ops.expand_dims(bias, 1)
    return ops.repeat(bias, num_heads, axis=0)


def _softmax(scores):
    """Softmax over the last axis."""
    if scores.shape[-1] == 1:
        # The one token of a 1×1 map: weight 1 and no gradient. `ops.softmax` says the same, with a
        # warning that one value must be a mistake.
        return ops.exp(scores - scores)
    return ops.softmax(scores, axis=-1)
