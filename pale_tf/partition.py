"""Feature map <-> interlaced row groups, column groups and pales. Pure functions, no weights.

With `h` rows and `N` groups, row `r` belongs to group `r mod N` (Wu et al. 2022, section 3.2): a
group holds `s = ceil(h / N)` rows that lie `N` apart. When `N` does not divide `h`, rows of zeros
are appended up to `N·s`, and `row_mask` says which tokens of each group are real. Columns likewise.

Grouping and splitting into heads are one operation here, because the columns then cost a single
transpose, that of ordinary multi-head attention. No tensor has a rank above 4: GPU delegates of
LiteRT take no more.

Heights, widths and group counts may be integers or, for dynamic sizes, scalar integer tensors.
"""

from keras import ops

from pale_tf.sizes import ceil_div, equal, pad_end


def group_rows(x, num_groups, num_heads):
    """Gathers interlaced rows into groups and splits the channels into heads.

    Args:
        x: Feature map, `[B, H, W, C]`.
        num_groups: `N`, the number of row groups.
        num_heads: Number of heads; divides `C`.

    Returns:
        `[B, N·heads, s·W, C/heads]`; tokens of a group are ordered by row, then column.
    """
    _, height, width, channels = ops.shape(x)
    rows = ceil_div(height, num_groups)  # s
    x = pad_end(x, 1, rows * num_groups - height)
    x = ops.reshape(x, (-1, rows, num_groups, width * channels))  # [B, s, N, W·C]
    x = ops.transpose(x, (0, 2, 1, 3))  # [B, N, s, W·C]
    x = ops.reshape(x, (-1, rows * width, num_heads, channels // num_heads))
    # [B·N, s·W, heads, C/heads]
    x = ops.transpose(x, (0, 2, 1, 3))  # [B·N, heads, s·W, C/heads]
    return ops.reshape(x, (-1, num_groups * num_heads, rows * width, channels // num_heads))


def ungroup_rows(x, height, width, num_groups, num_heads):
    """Inverse of `group_rows`: `[B, N·heads, s·W, C/heads]` -> `[B, H, W, C]`, padding cut off."""
    rows, depth = ceil_div(height, num_groups), x.shape[-1]
    x = ops.reshape(x, (-1, num_heads, rows * width, depth))  # [B·N, heads, s·W, C/heads]
    x = ops.transpose(x, (0, 2, 1, 3))  # [B·N, s·W, heads, C/heads]
    x = ops.reshape(x, (-1, num_groups, rows, width * num_heads * depth))  # [B, N, s, W·C]
    x = ops.transpose(x, (0, 2, 1, 3))  # [B, s, N, W·C]
    x = ops.reshape(x, (-1, rows * num_groups, width, num_heads * depth))  # [B, s·N, W, C]
    return x if equal(rows * num_groups, height) else x[:, :height]


def group_columns(x, num_groups, num_heads):
    """Gathers interlaced columns into groups and splits the channels into heads.

    Args:
        x: Feature map, `[B, H, W, C]`.
        num_groups: `N`, the number of column groups.
        num_heads: Number of heads; divides `C`.

    Returns:
        `[B, N·heads, H·s, C/heads]`; tokens of a group are ordered by row, then column.
    """
    _, height, width, channels = ops.shape(x)
    columns = ceil_div(width, num_groups)  # s
    x = pad_end(x, 2, columns * num_groups - width)
    # Group and head are neighbors in memory, and so are row and column-within-group.
    x = ops.reshape(x, (-1, height * columns, num_groups * num_heads, channels // num_heads))
    # [B, H·s, N·heads, C/heads]
    return ops.transpose(x, (0, 2, 1, 3))


def ungroup_columns(x, height, width, num_groups, num_heads):
    """Inverse of `group_columns`: `[B, N·heads, H·s, C/heads]` -> `[B, H, W, C]`."""
    columns, depth = ceil_div(width, num_groups), x.shape[-1]
    x = ops.transpose(x, (0, 2, 1, 3))  # [B, H·s, N·heads, C/heads]
    x = ops.reshape(x, (-1, height, columns * num_groups, num_heads * depth))  # [B, H, s·N, C]
    return x if equal(columns * num_groups, width) else x[:, :, :width]


def row_mask(height, width, num_groups):
    """Says which tokens of each row group are real: boolean `[N, s·W]`, or None if all are."""
    rows = ceil_div(height, num_groups)
    if equal(rows * num_groups, height):
        return None
    real = _real_lines(height, num_groups, rows)  # [N, s]
    real = ops.repeat(ops.expand_dims(real, 2), width, axis=2)  # [N, s, W]
    return ops.reshape(real, (num_groups, rows * width))


def column_mask(height, width, num_groups):
    """Says which tokens of each column group are real: boolean `[N, H·s]`, or None if all are."""
    columns = ceil_div(width, num_groups)
    if equal(columns * num_groups, width):
        return None
    real = _real_lines(width, num_groups, columns)  # [N, s]
    return ops.tile(real, (1, height))  # [N, H·s]


def pale_count(height, width, pale_rows, pale_columns):
    """Number of whole pales: the fewest such that none exceeds `pale_rows` or `pale_columns`.

    Whole pales pair row group `g` with column group `g`, so both axes have the same number of
    groups. The paper takes `H / s_r = W / s_c` for granted; this is the project's reading for maps
    where they differ.
    """
    by_rows, by_columns = ceil_div(height, pale_rows), ceil_div(width, pale_columns)
    if isinstance(by_rows, int) and isinstance(by_columns, int):
        return max(by_rows, by_columns)
    return ops.maximum(by_rows, by_columns)


def group_pales(x, num_groups, num_heads):
    """Gathers whole pales: `[B, H, W, C]` -> `[B, N·heads, s_r·W + H·s_c, C/heads]`.

    A pale's tokens are those of its row group, then those of its column group; where rows and
    columns cross, a token comes twice, and `pale_mask` hides the second.
    """
    groups = [group_rows(x, num_groups, num_heads), group_columns(x, num_groups, num_heads)]
    return ops.concatenate(groups, axis=2)


def ungroup_pales(x, height, width, num_groups, num_heads):
    """Splits whole pales into two `[B, H, W, C]`: each token's copy in its row's pale, and in its
    column's pale."""
    row_tokens = ceil_div(height, num_groups) * width
    return (
        ungroup_rows(x[:, :, :row_tokens], height, width, num_groups, num_heads),
        ungroup_columns(x[:, :, row_tokens:], height, width, num_groups, num_heads),
    )


def pale_mask(height, width, num_groups):
    """Says which tokens of each whole pale count: boolean `[N, s_r·W + H·s_c]`."""
    rows, columns = ceil_div(height, num_groups), ceil_div(width, num_groups)
    by_row = row_mask(height, width, num_groups)
    if by_row is None:
        by_row = ops.ones((num_groups, rows * width), dtype="bool")
    group = ops.expand_dims(ops.arange(num_groups, dtype="int32"), 1)
    outside = ops.arange(height, dtype="int32") % num_groups != group  # [N, H]: not in its rows
    by_column = ops.repeat(outside, columns, axis=1)  # [N, H·s_c]
    real = column_mask(height, width, num_groups)
    if real is not None:
        by_column = ops.logical_and(by_column, real)
    return ops.concatenate([by_row, by_column], axis=1)


def _real_lines(size, num_groups, lines):
    """Boolean `[N, s]`: whether line `k` of group `g`, which is line `k·N + g`, is on the map."""
    index = ops.reshape(ops.arange(lines * num_groups, dtype="int32"), (lines, num_groups))
    return ops.transpose(index < size)
