"""UPerNet's head (Xiao et al. 2018, section 3) and the auxiliary head that is trained beside it.

The graph is that of mmsegmentation and transformers: pyramid pooling on `P5` (Zhao et al. 2017), a
feature pyramid from there down to `P2`, and one convolution on all four levels together.
"""

import keras

from pale_tf.layers.convolution import ConvNorm, PyramidConvNorm
from pale_tf.layers.resizing import AdaptiveAveragePooling, ResizeLike

BINS = (1, 2, 3, 6)


def upernet(levels, channels):
    """Joins the levels of a pyramid in one map.

    Args:
        levels: Dict of Keras tensors `"P2"` to `"P5"`, `[B, H/s, W/s, C]` at strides 4 to 32.
        channels: Channels of every convolution; 512 in the paper.

    Returns:
        Keras tensor `[B, H/4, W/4, channels]`.
    """
    top = pyramid_pooling(levels["P5"], channels)
    merged = {"P5": top}
    for level in ("P4", "P3", "P2"):
        lateral = ConvNorm(channels, 1, name=f"lateral_{level}")(levels[level])
        top = ResizeLike(name=f"top_down_{level}")([top, lateral])
        top = keras.layers.Add(name=f"sum_{level}")([lateral, top])
        merged[level] = ConvNorm(channels, 3, name=f"fpn_{level}")(top)
    joined = [merged[level] for level in ("P2", "P3", "P4", "P5")]
    return PyramidConvNorm(channels, 3, name="fpn_bottleneck")(joined)


def pyramid_pooling(x, channels):
    """Adds to each place of a map what surrounds it, near and far: `[B, h, w, C]` to
    `[B, h, w, channels]`."""
    parts = [x]
    for bins in BINS:
        part = AdaptiveAveragePooling(bins, name=f"psp_pool{bins}")(x)
        part = ConvNorm(channels, 1, name=f"psp_conv{bins}")(part)
        parts.append(ResizeLike(name=f"psp_resize{bins}")([part, x]))
    joined = keras.layers.Concatenate(name="psp_concat")(parts)
    return ConvNorm(channels, 3, name="psp_bottleneck")(joined)


def fully_convolutional(x, channels):
    """The auxiliary head (Long et al. 2015): `[B, h, w, C]` to `[B, h, w, channels]`."""
    return ConvNorm(channels, 3, name="auxiliary_conv")(x)
