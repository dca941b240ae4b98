"""Selection of tokens, or of groups of tokens, by their scores. Pure functions, no weights.

What is selected is taken out of the map, computed on, and put back in its place.
"""

from keras import ops

from pale_tf.sizes import ceil_div


def kept_count(count, keep):
    """Counts what a share keeps of `count`: `ceil(count · keep)`, at least one.

    Args:
        count: An integer or, for dynamic sizes, a scalar integer tensor.
        keep: In `(0, 1]`. Read in thousandths, so that static and dynamic sizes agree.
    """
    return ceil_div(count * max(1, round(keep * 1000)), 1000)


def ranking(scores):
    """Places in the order of their scores: `[B, N] -> int32 [B, N]`, the best first."""
    return ops.cast(ops.argsort(-scores, axis=-1), "int32")


def inverse(ranking):
    """Ranks of the places, 0 the best: the inverse of the permutations `[B, N]`."""
    return ops.cast(ops.argsort(ranking, axis=-1), "int32")


def take(x, places, count):
    """Takes entries of each sample out.

    Args:
        x: `[B·N, …]`, the `N` entries of every sample.
        places: int32 `[B, K]`, in `0..N-1`.
        count: `N`.

    Returns:
        `[B·K, …]`.
    """
    # One gather of rows: the only kind that every runtime has.
    return ops.take(x, ops.reshape(places + _begins(places, count), (-1,)), axis=0)


def put_back(best, rest, ranks, kept):
    """Puts entries back: what was computed of the best, and of the rest, in their places.

    Args:
        best: `[B·K, …]`, of the first `K` of the ranking of each sample.
        rest: `[B·(N-K), …]`, of the others.
        ranks: Of every place, int32 `[B, N]`: the `inverse` of the ranking.
        kept: `K`.

    Returns:
        `[B·N, …]`.
    """
    batch, count = ops.shape(ranks)
    in_best = ranks + _begins(ranks, kept)
    in_rest = batch * kept + ranks - kept + _begins(ranks, count - kept)
    places = ops.where(ranks < kept, in_best, in_rest)
    return ops.take(ops.concatenate([best, rest], axis=0), ops.reshape(places, (-1,)), axis=0)


def _begins(places, count):
    """Rows where the samples begin: int32 `[B, 1]`."""
    return ops.expand_dims(ops.arange(ops.shape(places)[0], dtype="int32") * count, 1)
