"""PS-Attention in float64 NumPy, from its definition: loops over tokens, and sets of tokens.

Shares no code and no layout with `pale_tf`: no reshape into groups, no padding, no masks.
"""

import math

import numpy as np


def pale_pair(pale_size):
    return (pale_size, pale_size) if isinstance(pale_size, int) else pale_size


def row_group(token, height, width, pale_rows):
    """Tokens in the row group of `token`: rows congruent to its row modulo the group count."""
    groups = math.ceil(height / pale_rows)
    return {(r, c) for r in range(height) for c in range(width) if (r - token[0]) % groups == 0}


def column_group(token, height, width, pale_columns):
    """Tokens in the column group of `token`."""
    groups = math.ceil(width / pale_columns)
    return {(r, c) for r in range(height) for c in range(width) if (c - token[1]) % groups == 0}


def whole_pale(index, height, width, pale_rows, pale_columns):
    """Tokens of whole pale `index`: its interlaced rows together with its interlaced columns."""
    pales = max(math.ceil(height / pale_rows), math.ceil(width / pale_columns))
    return pales, {
        (r, c)
        for r in range(height)
        for c in range(width)
        if r % pales == index or c % pales == index
    }


def dilate(tokens, height, width):
    """`tokens` and their neighbors, as a 3×3 convolution sees them."""
    return {
        (r + i, c + j)
        for r, c in tokens
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
        if 0 <= r + i < height and 0 <= c + j < width
    }


def separable(x, weights, epsilon=1e-5):
    """3×3 depth-wise convolution, BatchNorm by moving statistics, point-wise: `[H, W, C]`."""
    height, width, _ = x.shape
    y = np.zeros_like(x)
    for r in range(height):
        for c in range(width):
            for i in range(3):
                for j in range(3):
                    if 0 <= r + i - 1 < height and 0 <= c + j - 1 < width:
                        y[r, c] += x[r + i - 1, c + j - 1] * weights["depthwise"][i, j, :, 0]
    y = (y - weights["mean"]) / np.sqrt(weights["variance"] + epsilon)
    return (y * weights["gamma"] + weights["beta"]) @ weights["kernel"] + weights["bias"]


def attend(token, tokens, query, key, value, num_heads, bias=None):
    """Output of `token` attending to the set `tokens`, `[D]`; heads split the channels.

    `bias`, a function of head, token and other token, is added to the scores.
    """
    places = sorted(tokens)
    out = np.empty(query.shape[-1])
    width = query.shape[-1] // num_heads
    for head in range(num_heads):
        part = slice(head * width, (head + 1) * width)
        scores = np.array([query[token][part] @ key[p][part] for p in places]) / math.sqrt(width)
        if bias is not None:
            scores += [bias(head, token, place) for place in places]
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
        out[part] = sum(s * value[p][part] for s, p in zip(scores, places, strict=True))
    return out


def pale_region(token, height, width, pale_size, implementation):
    """Tokens that `token` attends to."""
    rows, columns = pale_pair(pale_size)
    in_rows = row_group(token, height, width, rows)
    in_columns = column_group(token, height, width, columns)
    if implementation == "vanilla":
        pales, _ = whole_pale(0, height, width, rows, columns)
        both = (whole_pale(i % pales, height, width, rows, columns)[1] for i in token)
        return set.union(*both)
    by_form = {"sequential_row": in_rows, "sequential_column": in_columns}
    return by_form.get(implementation, in_rows | in_columns)


def pool(x, length, axis):
    """Means of `length` neighbors, or of those that are left, along an axis of `[H, W, C]`."""
    x = np.moveaxis(x, axis, 0)
    means = [x[start : start + length].mean(axis=0) for start in range(0, len(x), length)]
    return np.moveaxis(np.stack(means), 0, axis)


def best_lines(value, groups, keep, axis):
    """Groups of lines, rows for axis 0, that attend: those with the largest sums of squares."""
    sums = [
        np.sum(np.take(value, range(g, value.shape[axis], groups), axis) ** 2)
        for g in range(groups)
    ]
    return set(np.argsort(sums)[::-1][: math.ceil(round(groups * keep, 6))])


def pale_outputs(query, key, value, num_heads, pale_size, implementation, pooling=1, keep=1.0):
    """Values that the tokens of a map receive, `[H, W, C]`, before the output projection."""
    height, width, channels = query.shape
    rows, columns = pale_pair(pale_size)
    out = np.empty_like(query)
    parallel, half = implementation == "parallel", channels // 2
    row_groups, column_groups = math.ceil(height / rows), math.ceil(width / columns)
    in_value = value[..., :half] if parallel else value
    best_rows = best_lines(pool(in_value, pooling, 1), row_groups, keep, 0)
    in_value = value[..., half:] if parallel else value
    best_columns = best_lines(pool(in_value, pooling, 0), column_groups, keep, 1)
    by_row = [query, *(pool(x, pooling, 1) for x in (key, value))]
    by_column = [query, *(pool(x, pooling, 0) for x in (key, value))]
    for token in np.ndindex(height, width):
        in_rows = {(r, c // pooling) for r, c in row_group(token, height, width, rows)}
        in_columns = {(r // pooling, c) for r, c in column_group(token, height, width, columns)}
        attends = token[0] % row_groups in best_rows, token[1] % column_groups in best_columns
        if parallel:
            heads = max(1, num_heads // 2)
            first = [t[..., :half] for t in by_row]
            second = [t[..., half:] for t in by_column]
            own = np.split(value[token], 2)
            received = [attend(token, in_rows, *first, heads) if attends[0] else own[0]]
            received += [attend(token, in_columns, *second, heads) if attends[1] else own[1]]
            out[token] = np.concatenate(received)
        elif implementation == "vanilla":
            pales, _ = whole_pale(0, height, width, rows, columns)
            outputs = [
                attend(
                    token,
                    whole_pale(index, height, width, rows, columns)[1],
                    query,
                    key,
                    value,
                    num_heads,
                )
                for index in (token[0] % pales, token[1] % pales)
            ]
            out[token] = (outputs[0] + outputs[1]) / 2
        else:
            is_row = implementation == "sequential_row"
            tokens, maps = (in_rows, by_row) if is_row else (in_columns, by_column)
            does = attends[0] if is_row else attends[1]
            out[token] = attend(token, tokens, *maps, num_heads) if does else value[token]
    return out


def ps_attention(x, weights, num_heads, pale_size, implementation):
    """PS-Attention of one feature map `[H, W, C]`."""
    projected = (separable(x, weights[name]) for name in ("query", "key", "value"))
    out = pale_outputs(*projected, num_heads, pale_size, implementation)
    return out @ weights["output"]["kernel"] + weights["output"]["bias"]
