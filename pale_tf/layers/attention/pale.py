"""Pale-shaped self-attention (PS-Attention), Wu et al. 2022, section 3.2."""

import collections.abc
import typing

import keras
from keras import ops

from pale_tf import partition, selection
from pale_tf.checks import check_keep, check_pair, check_positive_int
from pale_tf.layers.attention.base import Attention
from pale_tf.layers.attention.core import mask_bias
from pale_tf.pooling import pool_columns, pool_rows
from pale_tf.sizes import ceil_div, equal

IMPLEMENTATIONS = ("parallel", "vanilla", "sequential_row", "sequential_column")


class Groups(typing.NamedTuple):
    """Groups of the tokens of a map, row groups for example.

    Attributes:
        of_queries: From a map `[B, H, W, D]`, the queries of the groups, `[B, N·heads, L, d]`.
        of_context: From such a map, their keys or values, `[B, N·heads, M, d]`.
        to_map: From what the queries receive, the map.
        bias: Summand of the scores that hides padding, or None.
        count: Number of groups, `N`.
    """

    of_queries: collections.abc.Callable
    of_context: collections.abc.Callable
    to_map: collections.abc.Callable
    bias: typing.Any
    count: typing.Any


@keras.saving.register_keras_serializable(package="pale_tf")
class PSAttention(Attention):
    """Multi-head self-attention inside pales: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    A pale is a set of interlaced rows and interlaced columns. With `h` rows and pale size `s`,
    there are `N = ceil(h / s)` row groups and row `r` belongs to group `r mod N`; columns likewise.

    - `"parallel"` (the networks' form): the first half of the channels attends inside row groups,
      the second half inside column groups; the halves are concatenated.
    - `"vanilla"`: all channels attend inside whole pales; pale `g` joins row group `g` and column
      group `g`, with the number of groups that the stricter axis needs on both. A token lies in
      the pale of its row and the pale of its column; the two outputs are averaged.
    - `"sequential_row"` and `"sequential_column"`: all channels attend inside row groups, or
      inside column groups; the two are meant to alternate from block to block.

    Queries, keys and values are separable convolutions over all channels, and an output projection
    follows. Softmax runs in float32 under every dtype policy.

    With `pooling`, tokens attend to means of neighbors in a row of their row group, and to means of
    neighbors in a column of their column group: clusters of tokens (Marin et al. 2021, Token
    Pooling) that keep to the lines of a pale, this project's reading.

    With `keep`, only the groups with the largest values attend, as windows do in SparseViT (Chen et
    al. 2023): those with the largest mean of squares, in which padding counts as zeros. The tokens
    of the others receive their own values.

    Args:
        num_heads: Attention heads over all channels. The parallel form gives half of them to the
            rows and half to the columns, and at least one to each.
        pale_size: Rows and columns of a pale, an integer or a pair `(rows, columns)`.
        implementation: One of the forms above.
        pooling: Tokens of a mean; 1 for the tokens themselves. Whole pales are not pooled.
        keep: Share of the groups that attend, in `(0, 1]`, rounded up to a whole number of them.
            Whole pales all do.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`, and those of
            `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range or, when the layer is built, the channels do not
            divide into halves and heads.
    """

    can_share = True
    can_narrow = True

    def __init__(
        self, num_heads, pale_size=7, implementation="parallel", pooling=1, keep=1.0, **kwargs
    ):
        super().__init__(num_heads, **kwargs)
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(
                f"`implementation` must be one of {IMPLEMENTATIONS}. Received: {implementation!r}"
            )
        self.pale_rows, self.pale_columns = check_pair("pale_size", pale_size)
        pair = (self.pale_rows, self.pale_columns)
        self.pale_size = pair if isinstance(pale_size, tuple | list) else pair[0]
        self.implementation = implementation
        self.pooling = check_positive_int("pooling", pooling)
        if self.pooling > 1 and implementation == "vanilla":
            raise ValueError(
                "`pooling` must be 1 for whole pales, whose tokens are no line. "
                f"Received: pooling={pooling}"
            )
        check_keep("keep", keep)
        if keep < 1 and implementation == "vanilla":
            raise ValueError(
                "`keep` must be 1 for whole pales, of which every token has two. "
                f"Received: keep={keep}"
            )
        if keep < 1 and self.sharing is not None:
            raise ValueError(
                "`keep` must be 1 where blocks share attention weights, which are those of all "
                f"groups. Received: keep={keep}"
            )
        self.keep = keep
        self.halves = 2 if implementation == "parallel" else 1

    def attend(self, query, key, value, training=None):
        def attend_inside(groups, query, key, value):
            arguments = [groups.of_queries(query), *map(groups.of_context, (key, value))]
            count = selection.kept_count(groups.count, self.keep)
            # A number of groups that is known at run time only equals no other.
            if self.keep == 1 or equal(count, groups.count):
                outputs = self.softmax_attention(*arguments, groups.bias, training)
            else:
                own = groups.of_queries(value)
                outputs = self._attend_in_best(groups, count, own, *arguments, training)
            return groups.to_map(outputs)

        return _join(self._in_parts(attend_inside, query, key, value))

    def _attend_in_best(self, groups, count, own, query, key, value, training):
        """Attends inside the `count` groups with the largest values; the others keep their own."""

        def apart(x):
            """`[B, N·heads, L, D] -> [B·N, heads, L, D]`."""
            return ops.reshape(x, (-1, self.group_heads, *ops.shape(x)[-2:]))

        squares = ops.square(ops.cast(apart(value), "float32"))
        scores = ops.reshape(ops.mean(squares, axis=(1, 2, 3)), (-1, groups.count))
        ranking = selection.ranking(scores)
        best, rest = ranking[:, :count], ranking[:, count:]
        bias = groups.bias
        if bias is not None:
            bias = ops.take(apart(bias), ops.reshape(best, (-1,)), axis=0)
        chosen = (selection.take(apart(x), best, groups.count) for x in (query, key, value))
        outputs = self.softmax_attention(*chosen, bias, training)
        kept = selection.take(apart(own), rest, groups.count)
        ranks = selection.inverse(ranking)
        return ops.reshape(selection.put_back(outputs, kept, ranks, count), ops.shape(own))

    def weigh(self, query, key, training=None):
        def weigh_inside(groups, query, key):
            queries, keys = groups.of_queries(query), groups.of_context(key)
            return self.softmax_weights(queries, keys, groups.bias, training)

        return tuple(self._in_parts(weigh_inside, query, key))

    def spread(self, weights, value):
        def spread_inside(groups, value, weights):
            return groups.to_map(ops.matmul(weights, groups.of_context(value)))

        return _join(self._in_parts(spread_inside, value, more=[weights]))

    def weight_shapes(self, input_shape):
        batch, height, width, channels = input_shape
        kinds = 2 if self.implementation == "parallel" else 1
        if height is None or width is None:
            return ((batch, None, None, None),) * kinds
        heads = self.check_channels(channels)
        shapes = {
            "sequential_row": self._lines(height, width, self.pale_rows),
            "sequential_column": self._lines(width, height, self.pale_columns),
        }
        if self.implementation == "vanilla":
            groups = partition.pale_count(height, width, self.pale_rows, self.pale_columns)
            tokens = ceil_div(height, groups) * width + height * ceil_div(width, groups)
            shapes = {"vanilla": (groups, tokens, tokens)}
        chosen = [shapes[self.implementation]] if kinds == 1 else shapes.values()
        return tuple((batch, groups * heads, *tokens) for groups, *tokens in chosen)

    def _lines(self, across, along, size):
        """Groups of lines, and the queries and keys of each."""
        groups = ceil_div(across, size)
        lines = ceil_div(across, groups)
        return groups, lines * along, lines * ceil_div(along, self.pooling)

    def _in_parts(self, function, *maps, more=()):
        """Applies a function to every kind of groups, its part of the channels of the maps, and its
        entry of what is more: a list of what it returns."""
        _, height, width, _ = ops.shape(maps[0])
        kinds = self._groups(height, width)
        parts = (ops.split(x, len(kinds), axis=-1) if len(kinds) > 1 else [x] for x in maps)
        return [function(*arguments) for arguments in zip(kinds, *parts, *more, strict=True)]

    def _groups(self, height, width):
        """The kinds of groups that the parts of the channels attend in."""
        if self.implementation == "vanilla":
            return [self._pales(height, width)]
        rows, columns = self._rows(height, width), self._columns(height, width)
        chosen = {"sequential_row": [rows], "sequential_column": [columns]}
        return chosen.get(self.implementation, [rows, columns])

    def _rows(self, height, width):
        groups, heads = ceil_div(height, self.pale_rows), self.group_heads
        mask = partition.row_mask(height, ceil_div(width, self.pooling), groups)
        return Groups(
            lambda x: partition.group_rows(x, groups, heads),
            lambda x: partition.group_rows(self._pooled(x, pool_rows), groups, heads),
            lambda x: partition.ungroup_rows(x, height, width, groups, heads),
            mask_bias(mask, heads),
            groups,
        )

    def _columns(self, height, width):
        groups, heads = ceil_div(width, self.pale_columns), self.group_heads
        mask = partition.column_mask(ceil_div(height, self.pooling), width, groups)
        return Groups(
            lambda x: partition.group_columns(x, groups, heads),
            lambda x: partition.group_columns(self._pooled(x, pool_columns), groups, heads),
            lambda x: partition.ungroup_columns(x, height, width, groups, heads),
            mask_bias(mask, heads),
            groups,
        )

    def _pooled(self, x, pool):
        return pool(x, self.pooling) if self.pooling > 1 else x

    def _pales(self, height, width):
        groups = partition.pale_count(height, width, self.pale_rows, self.pale_columns)
        heads = self.group_heads

        def group(x):
            return partition.group_pales(x, groups, heads)

        def to_map(x):
            by_row, by_column = partition.ungroup_pales(x, height, width, groups, heads)
            return (by_row + by_column) / 2

        bias = mask_bias(partition.pale_mask(height, width, groups), heads)
        return Groups(group, group, to_map, bias, groups)

    def get_config(self):
        return {
            **super().get_config(),
            "pale_size": self.pale_size,
            "implementation": self.implementation,
            "pooling": self.pooling,
            "keep": self.keep,
        }


def _join(parts):
    """Maps, one after the other along the channels."""
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def parallel(place, **options):
    """The form of the networks: rows and columns at once, in half of the channels each."""
    return PSAttention(**{"pale_size": place.pale_size, **options})


def vanilla(place, **options):
    """Whole pales at once."""
    return parallel(place, **{"implementation": "vanilla", **options})


def sequential(place, **options):
    """Rows in even blocks, columns in odd ones."""
    form = "sequential_column" if place.block % 2 else "sequential_row"
    return parallel(place, **{"implementation": form, **options})
