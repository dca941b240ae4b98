"""Softmax attention inside groups of tokens: what every attention of this package ends in."""

import functools

import keras
from keras import ops

# Added to the score of a masked key, whose weight is then exactly 0 in float32. Finite, because it
# is multiplied by 0 for the other keys.
MASKED = -1e9


def softmax_attention(query, key, value, bias=None, dropout=None):
    """Attends from every query of a group to every key of the same group.

    On a GPU under JAX, one kernel of cuDNN does it where it can: see `_takes_one_kernel`.

    Args:
        query: `[B, G, L, D]`, scaled; a group `G` is one head of one set of tokens.
        key: `[B, G, M, D]`.
        value: `[B, G, M, E]`.
        bias: Summand of the scores: float32, broadcast to `[B, G, L, M]`; or None.
        dropout: Function of the weights, or None.

    Returns:
        `[B, G, L, E]`.
    """
    if bias is None and dropout is None and _takes_one_kernel(query, key, value):
        # XLA drops these transpositions together with those that made the groups.
        query, key, value = (ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
        outputs = ops.dot_product_attention(query, key, value, scale=1.0)
        return ops.transpose(outputs, (0, 2, 1, 3))
    weights = softmax_weights(query, key, bias, value.dtype)
    if dropout is not None:
        weights = dropout(weights)
    return ops.matmul(weights, value)


def _takes_one_kernel(query, key, value):
    """Whether cuDNN's attention takes groups like these, and is the faster way.

    It never writes the scores to memory. Inference of Pale-T at 224×224, where groups have 392,
    196, 98 and 49 tokens (an NVIDIA H200, 128 images, bfloat16):

    | cuDNN's kernel in groups of | ms |
    |---|---|
    | no number of tokens | 12.3 |
    | 196 and more | 11.0 |
    | any even number | 10.2 |

    cuDNN takes 16 bits, widths that are multiples of 8 up to 128, and in training even numbers of
    tokens. A bias, or a mask, falls off its fast path.
    """
    return (
        _on_gpu()
        and keras.backend.standardize_dtype(query.dtype) in ("float16", "bfloat16")
        and query.shape[2] == key.shape[2]
        and isinstance(query.shape[2], int)
        and query.shape[2] % 2 == 0
        and query.shape[-1] == value.shape[-1]
        and query.shape[-1] in range(8, 129, 8)
    )


@functools.cache
def _on_gpu():
    """Whether JAX computes, and on a GPU."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "gpu"


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
