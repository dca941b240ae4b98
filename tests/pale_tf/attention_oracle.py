"""Every attention in float64 NumPy, token by token, from its paper's definition.

`tokens(name, …)` gives the set that a token attends to; `outputs(layer, x)` what the layer makes of
a map before its output projection. Nothing is grouped, padded, rolled or masked here.
"""

import math

import keras
import numpy as np

from tests.pale_tf.oracle import attend


def double(weight):
    return keras.ops.convert_to_numpy(weight).astype("float64")


def dense(layer, x):
    return x @ double(layer.kernel) + (double(layer.bias) if layer.use_bias else 0.0)


def layer_norm(layer, x):
    centered = x - x.mean(-1, keepdims=True)
    x = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + layer.epsilon)
    return x * double(layer.gamma) + double(layer.beta)


def at(x, row, column):
    """A token of a map; 0 outside of it."""
    inside = 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
    return x[row, column] if inside else np.zeros(x.shape[-1])


def window_of(place, size, window, shift):
    """Index of the window along one axis; a shifted one begins `shift` later."""
    return (place + window - shift) // window if shift and size > window else place // window


def window_tokens(token, size, layer, shift=0):
    """Tokens of the window of `token`."""
    window = layer.window_size

    def index(place):
        return tuple(window_of(p, n, window, shift) for p, n in zip(place, size, strict=True))

    return {place for place in np.ndindex(*size) if index(place) == index(token)}


def shuffled_tokens(token, size, layer):
    """Tokens whose row and column are congruent to those of `token` modulo the windows."""
    windows = [math.ceil(n / layer.window_size) for n in size]
    return {
        place
        for place in np.ndindex(*size)
        if all((p - t) % n == 0 for p, t, n in zip(place, token, windows, strict=True))
    }


def line_tokens(token, size, axis):
    """Tokens of the row (`axis` 0) or the column (1) of `token`."""
    return {place for place in np.ndindex(*size) if place[axis] == token[axis]}


def stripe_tokens(token, size, width, axis):
    """Tokens of the horizontal (`axis` 0) or vertical (1) stripe of `token`."""
    return {p for p in np.ndindex(*size) if p[axis] // width == token[axis] // width}


def relative_bias(layer, place):
    """Bias of Swin's table: `place` gives a token's position inside its window."""
    if not layer.relative_position_bias:
        return None
    table, span = double(layer.position_table), 2 * layer.window_size - 1

    def bias(head, token, other):
        (r, c), (i, j) = place(token), place(other)
        return table[(r - i + layer.window_size - 1) * span + c - j + layer.window_size - 1, head]

    return bias


def global_outputs(layer, q, k, v):
    size = q.shape[:2]
    everything = set(np.ndindex(*size))
    return by_token(size, lambda t: attend(t, everything, q, k, v, layer.num_heads))


def by_token(size, output):
    return np.array([[output((r, c)) for c in range(size[1])] for r in range(size[0])])


def window_outputs(layer, q, k, v):
    size, window = q.shape[:2], layer.window_size
    shift = window // 2 if layer.shift else 0
    # Differences of positions inside a window are those on the map.
    bias = relative_bias(layer, lambda token: token)
    return by_token(
        size,
        lambda t: attend(t, window_tokens(t, size, layer, shift), q, k, v, layer.num_heads, bias),
    )


def shuffled_outputs(layer, q, k, v):
    size = q.shape[:2]
    windows = [math.ceil(n / layer.window_size) for n in size]
    bias = relative_bias(layer, lambda token: (token[0] // windows[0], token[1] // windows[1]))
    return by_token(
        size, lambda t: attend(t, shuffled_tokens(t, size, layer), q, k, v, layer.num_heads, bias)
    )


def axial_outputs(layer, q, k, v):
    """`q·k + q·r_q + k·r_k`, and `v + r_v`: Wang et al. 2020, equation 3."""
    size, heads, axis = q.shape[:2], layer.num_heads, 0 if layer.axis == "width" else 1
    if not layer.position_sensitive:
        return by_token(
            size, lambda t: attend(t, line_tokens(t, size, axis), q, k, v, layer.num_heads)
        )
    terms = [double(weight) for weight in layer.positions]
    width = q.shape[-1] // heads

    def output(token):
        places, out = sorted(line_tokens(token, size, axis)), []
        distances = [place[1 - axis] - token[1 - axis] for place in places]
        index = np.clip(distances, -layer.span, layer.span) + layer.span
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            query = q[token][part] / math.sqrt(width)
            keys = np.array([k[place][part] for place in places])
            scores = keys @ query + terms[0][index] @ query
            scores += (keys * terms[1][index]).sum(1) / math.sqrt(width)
            weights = np.exp(scores - scores.max())
            values = np.array([v[place][part] for place in places]) + terms[2][index]
            out.append(weights / weights.sum() @ values)
        return np.concatenate(out)

    return by_token(size, output)


def cross_shaped_outputs(layer, q, k, v):
    size, half, heads = q.shape[:2], q.shape[-1] // 2, max(1, layer.num_heads // 2)

    def output(token):
        out = []
        for axis, part in enumerate((slice(0, half), slice(half, None))):
            tokens = stripe_tokens(token, size, layer.stripe_width, axis)
            out.append(attend(token, tokens, q[..., part], k[..., part], v[..., part], heads))
            if layer.lepe:
                convolution = (layer.lepe_rows, layer.lepe_columns)[axis]
                kernel = double(convolution.kernel)[..., 0]
                out[-1] = out[-1] + double(convolution.bias)
                for i, j in np.ndindex(3, 3):
                    place = token[0] + i - 1, token[1] + j - 1
                    if place in tokens:  # not beyond the stripe
                        out[-1] = out[-1] + v[place][part] * kernel[i, j]
        return np.concatenate(out)

    return by_token(size, output)


def messenger_outputs(layer, q, k, v):
    size, heads, channels = q.shape[:2], layer.num_heads, q.shape[-1]
    grid = [math.ceil(n / layer.window_size) for n in size]
    region, parts = layer.region_size, layer.region_size**2
    message = np.broadcast_to(double(layer.messenger), (*size, channels))
    news = {}
    for window in np.ndindex(*grid):
        corner = tuple(index * layer.window_size for index in window)
        tokens = window_tokens(corner, size, layer)
        news[window] = attend(corner, tokens, message, k, v, heads)
    received, width = {}, channels // parts
    for window in np.ndindex(*grid):
        first = [index // region * region for index in window]
        mine = (window[0] - first[0]) * region + window[1] - first[1]
        mine = slice(mine * width, (mine + 1) * width)
        sent = [(first[0] + i, first[1] + j) for i in range(region) for j in range(region)]
        parts_of = [news[other][mine] if other in news else np.zeros(width) for other in sent]
        received[window] = np.concatenate(parts_of)
    relative = relative_bias(layer, lambda token: token)

    def output(token):
        window = tuple(place // layer.window_size for place in token)
        keys = {place: k[place] for place in np.ndindex(*size)}
        values = {place: v[place] for place in np.ndindex(*size)}
        letter = (10**6, 0)  # a place of its own
        keys[letter] = dense(layer.messenger_key, received[window])
        values[letter] = dense(layer.messenger_value, received[window])

        def bias(head, token, other):
            if relative is None:
                return 0.0
            if other == letter:
                return double(layer.messenger_bias)[head]
            return relative(head, token, other)

        tokens = window_tokens(token, size, layer) | {letter}
        return attend(token, tokens, q, keys, values, heads, bias)

    return by_token(size, output)


def reduced_map(layer, x):
    """The map that spatial reduction makes: a strided convolution and LayerNorm."""
    if layer.reduction == 1:
        return x
    size, kernel = layer.reduction, double(layer.reduce.kernel)
    grid = [math.ceil(n / size) for n in x.shape[:2]]
    out = np.zeros((*grid, x.shape[-1]))
    for row, column in np.ndindex(*grid):
        for i, j in np.ndindex(size, size):
            out[row, column] += at(x, row * size + i, column * size + j) @ kernel[i, j]
    return layer_norm(layer.norm, out + double(layer.reduce.bias))


def spatial_reduction_outputs(layer, x):
    reduced, heads = reduced_map(layer, x), layer.num_heads
    q, k, v = dense(layer.query, x), dense(layer.key, reduced), dense(layer.value, reduced)
    places = set(np.ndindex(*reduced.shape[:2]))
    return by_token(x.shape[:2], lambda t: attend(t, places, q, k, v, heads))


def deformed_points(layer, query):
    """Points of each group of channels: `[groups, H', W', 2]`, in tokens."""
    height, width, channels = query.shape
    stride, size, depth = layer.stride, layer.kernel_size, channels // layer.groups
    grid = math.ceil(height / stride), math.ceil(width / stride)
    kernel = double(layer.depthwise.kernel)[..., 0]
    points = np.empty((layer.groups, *grid, 2))
    for group, row, column in np.ndindex(layer.groups, *grid):
        part = query[..., group * depth : (group + 1) * depth]
        seen = double(layer.depthwise.bias)
        for i, j in np.ndindex(size, size):
            place = row * stride + i - size // 2, column * stride + j - size // 2
            seen = seen + at(part, *place) * kernel[i, j]
        seen = layer_norm(layer.norm, seen)
        seen = np.array([0.5 * s * (1 + math.erf(s / math.sqrt(2))) for s in seen])
        offset = layer.offset_range * np.tanh(dense(layer.offsets, seen))
        cell = np.array([height / grid[0], width / grid[1]])
        points[group, row, column] = (np.array([row, column]) + 0.5 + offset) * cell - 0.5
    return points


def corners(point):
    """The four tokens around a point and their bilinear weights."""
    row, column = math.floor(point[0]), math.floor(point[1])
    for i, j in np.ndindex(2, 2):
        weight = (1 - abs(point[0] - row - i)) * (1 - abs(point[1] - column - j))
        yield (row + i, column + j), weight


def deformable_outputs(layer, x):
    heads = layer.num_heads
    q = dense(layer.query, x)
    points = deformed_points(layer, q / math.sqrt(x.shape[-1] // heads))
    depth, grid = x.shape[-1] // layer.groups, points.shape[1:3]
    sampled = np.zeros((*grid, x.shape[-1]))
    for group, row, column in np.ndindex(layer.groups, *grid):
        part = slice(group * depth, (group + 1) * depth)
        for place, weight in corners(points[group, row, column]):
            sampled[row, column, part] += weight * at(x, *place)[part]
    k, v, places = dense(layer.key, sampled), dense(layer.value, sampled), set(np.ndindex(*grid))
    return by_token(x.shape[:2], lambda t: attend(t, places, q, k, v, heads))


BY_CLASS = {
    "GlobalAttention": global_outputs,
    "WindowAttention": window_outputs,
    "ShuffledWindowAttention": shuffled_outputs,
    "AxialAttention": axial_outputs,
    "CrossShapedAttention": cross_shaped_outputs,
    "MessengerAttention": messenger_outputs,
}
FROM_INPUTS = {
    "SpatialReductionAttention": spatial_reduction_outputs,
    "DeformableAttention": deformable_outputs,
}


def outputs(layer, x):
    """Outputs of `layer`, whose projections are linear, for the map `[H, W, C]`."""
    name = type(layer).__name__
    if name in FROM_INPUTS:
        out = FROM_INPUTS[name](layer, x)
    else:
        projected = (dense(part, x) for part in (layer.query, layer.key, layer.value))
        out = BY_CLASS[name](layer, *projected)
    return dense(layer.output_projection, out)


def region(layer, token, size, query=None):
    """The tokens on which the output of `token` depends, by the definition of the attention.

    Args:
        layer: The layer, with linear projections.
        token: `(row, column)`.
        size: `(H, W)`.
        query: Scaled queries `[H, W, C]`, of which deformable attention makes its points.
    """
    name, everything = type(layer).__name__, set(np.ndindex(*size))
    if name in ("GlobalAttention", "SpatialReductionAttention"):
        return everything
    if name == "ShuffledWindowAttention":
        return shuffled_tokens(token, size, layer)
    if name == "WindowAttention":
        return window_tokens(token, size, layer, layer.window_size // 2 if layer.shift else 0)
    if name == "AxialAttention":
        return line_tokens(token, size, 0 if layer.axis == "width" else 1)
    if name == "CrossShapedAttention":
        width = layer.stripe_width
        return stripe_tokens(token, size, width, 0) | stripe_tokens(token, size, width, 1)
    if name == "MessengerAttention":
        side = layer.window_size * layer.region_size
        corner = [place // side for place in token]
        return {p for p in everything if [place // side for place in p] == corner}
    seen, half = {token}, layer.kernel_size // 2
    points = deformed_points(layer, query)
    for group, row, column in np.ndindex(*points.shape[:3]):
        taken = {place for place, weight in corners(points[group, row, column]) if weight > 0}
        if not taken & everything:
            continue  # beyond the map, a point is 0 wherever it is
        middle = row * layer.stride, column * layer.stride
        around = np.ndindex(layer.kernel_size, layer.kernel_size)
        seen |= taken | {(middle[0] + i - half, middle[1] + j - half) for i, j in around}
    return seen & everything
