"""UPerNet's head in float64 NumPy, from its definition, without any matrix of interpolation.

Shares no code with `pale_tf`: bilinear interpolation takes four neighbors, pooling takes means of
windows, and a convolution adds up its taps.
"""

import math

import numpy as np


def resize(x, height, width):
    """Bilinear interpolation with half-pixel centers, `[B, h, w, C] -> [B, height, width, C]`."""
    old_height, old_width = x.shape[1:3]
    found = np.empty((len(x), height, width, x.shape[-1]))
    for row in range(height):
        y = min(max((row + 0.5) * old_height / height - 0.5, 0), old_height - 1)
        top, low = math.floor(y), min(math.floor(y) + 1, old_height - 1)
        for column in range(width):
            z = min(max((column + 0.5) * old_width / width - 0.5, 0), old_width - 1)
            left, right = math.floor(z), min(math.floor(z) + 1, old_width - 1)
            above = x[:, top, left] * (1 - z + left) + x[:, top, right] * (z - left)
            below = x[:, low, left] * (1 - z + left) + x[:, low, right] * (z - left)
            found[:, row, column] = above * (1 - y + top) + below * (y - top)
    return found


def pool(x, bins):
    """Adaptive average pooling as PyTorch defines it, `[B, H, W, C] -> [B, bins, bins, C]`."""

    def window(index, size):
        return slice(math.floor(index * size / bins), math.ceil((index + 1) * size / bins))

    rows = [
        [x[:, window(i, x.shape[1]), window(j, x.shape[2])].mean((1, 2)) for j in range(bins)]
        for i in range(bins)
    ]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def convolve(x, kernel):
    """Convolution padded with zeros, `[B, H, W, C] -> [B, H, W, D]`; the kernel is odd."""
    height, width = x.shape[1:3]
    reach = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    )


def conv_norm(x, weights):
    """Convolution, BatchNorm by moving statistics, ReLU. `weights` by their names."""
    x = convolve(x, weights["kernel"])
    x = (x - weights["moving_mean"]) / np.sqrt(weights["moving_variance"] + 1e-5)
    return np.maximum(x * weights["gamma"] + weights["beta"], 0)


def upernet(levels, weights):
    """UPerNet's head (Xiao et al. 2018): `{"P2" … "P5"}` to the map at stride 4.

    Args:
        levels: Arrays `[B, H, W, C]`.
        weights: By layer, the weights by name.
    """
    x = levels["P5"]
    parts = [x]
    for bins in (1, 2, 3, 6):
        part = conv_norm(pool(x, bins), weights[f"psp_conv{bins}"])
        parts.append(resize(part, *x.shape[1:3]))
    top = conv_norm(np.concatenate(parts, axis=-1), weights["psp_bottleneck"])
    merged = [top]
    for level in ("P4", "P3", "P2"):
        lateral = conv_norm(levels[level], weights[f"lateral_{level}"])
        top = lateral + resize(top, *lateral.shape[1:3])
        merged.insert(0, conv_norm(top, weights[f"fpn_{level}"]))
    merged = [resize(x, *merged[0].shape[1:3]) for x in merged]
    return conv_norm(np.concatenate(merged, axis=-1), weights["fpn_bottleneck"])
