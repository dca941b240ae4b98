"""Sizes of feature maps, known or unknown until run time: division, padding, cropping."""

from keras import ops


def ceil_div(numerator, denominator):
    """`ceil(numerator / denominator)` for integers and for integer tensors."""
    return -(-numerator // denominator)


def pad_end(x, axis, amount):
    """Appends `amount` lines of zeros to `axis`; no op when there are none."""
    if equal(amount, 0):
        return x
    widths = [(0, 0)] * 4
    widths[axis] = (0, amount)
    return ops.pad(x, widths)


def pad_to_windows(x, window):
    """Appends zeros below and on the right until `(h, w)` divides the map `[B, H, W, C]`."""
    _, height, width, _ = ops.shape(x)
    return pad_end(pad_end(x, 1, -height % window[0]), 2, -width % window[1])


def crop(x, height, width):
    """Cuts off what lies below `height` and right of `width`; no op where nothing does."""
    _, padded_height, padded_width, _ = ops.shape(x)
    x = x if equal(padded_height, height) else x[:, :height]
    return x if equal(padded_width, width) else x[:, :, :width]


def equal(a, b):
    """Whether two sizes are known to be equal. A size unknown until run time never is."""
    return isinstance(a, int) and isinstance(b, int) and a == b
