"""RoIAlign: parts of a pyramid, brought to one size (He et al. 2017, section 3)."""

import keras
from keras import ops

from pale_tf.boxes import areas
from pale_tf.checks import check_positive_int

SAMPLES = 2  # along each side of a bin
# Entries of RoIs that are looked up at once: 8 MB of 256 channels. On CPUs, a tensor of more than
# 32 MB gets its memory anew from the system each time, which takes longer than to fill it.
PART = 8192
FINEST = 56.0  # root of an area, in pixels: twice as much is looked up on P3 instead of P2


@keras.saving.register_keras_serializable(package="pale_tf")
class RoIAlign(keras.layers.Layer):
    """Brings what is inside of boxes to `bins × bins` entries, by bilinear interpolation.

    A box is looked up on one level of the pyramid: `P2` below 112² pixels, `P3` below 224², `P4`
    below 448², and `P5` (Lin et al. 2017, equation 1). An entry is the mean of 2×2 samples. The
    middle of a map's entry lies half a stride from its edges (mmdetection's `aligned`). What lies
    more than a stride outside of the map is 0.

    Takes RoIs, `[B, R, 4]` in pixels of the image, and maps `[B, H, W, C]`, the finest first.
    Gives `[B·R, bins, bins, C]`. The RoIs pass no gradient.

    Args:
        bins: Entries along each side.
        strides: Pixels of the image between two entries of each map.
    """

    def __init__(self, bins, strides=(4, 8, 16, 32), **kwargs):
        super().__init__(**kwargs, autocast=False)  # half precision would move the RoIs
        self.bins = check_positive_int("bins", bins)
        self.strides = tuple(check_positive_int("strides", stride) for stride in strides)

    def call(self, inputs):
        rois, *maps = inputs
        maps = [ops.cast(x, self.compute_dtype) for x in maps]
        rois = ops.stop_gradient(ops.cast(rois, "float32"))
        table, levels = _join(maps, self.strides)
        count, step = rois.shape[1], max(PART // self.bins**2, 1)
        if count is None or count <= step:
            found = self._look_up(table, levels, rois)
        else:
            parts = [rois[:, begin : begin + step] for begin in range(0, count, step)]
            found = ops.concatenate([self._look_up(table, levels, part) for part in parts], axis=1)
        return ops.reshape(found, (-1, self.bins, self.bins, maps[0].shape[-1]))

    def compute_output_shape(self, input_shape):
        rois, first, *_ = input_shape
        count = None if None in rois[:2] else rois[0] * rois[1]
        return (count, self.bins, self.bins, first[-1])

    def get_config(self):
        return {**super().get_config(), "bins": self.bins, "strides": self.strides}

    def _look_up(self, table, levels, rois):
        """Looks up RoIs `[B, r, 4]` in the results of `_join`: `[B, r, bins·bins·C]`."""
        batch, channels = ops.shape(rois)[0], table.shape[-1]
        places = ops.shape(table)[0] // batch
        chosen = ops.take(levels, level_of(rois, len(self.strides)), axis=0)  # [B, r, 4]
        height, width, stride, first = ops.unstack(chosen, 4, axis=-1)
        first = first + ops.expand_dims(ops.arange(batch, dtype="int32") * places, 1)
        x1, y1, x2, y2 = ops.unstack(rois / ops.cast(ops.expand_dims(stride, -1), "float32"), 4, -1)
        rows = _taps(y1, y2, height, self.bins)
        columns = _taps(x1, x2, width, self.bins)
        first, width = (ops.reshape(v, (-1, 1, 1)) for v in (first, width))
        total = 0.0
        for row, down in rows:
            for column, right in columns:
                places = first + ops.expand_dims(row, 2) * width + ops.expand_dims(column, 1)
                weights = ops.expand_dims(down, 2) * ops.expand_dims(right, 1)
                found = ops.take(table, ops.reshape(places, (-1,)), axis=0)
                total = total + found * ops.cast(ops.reshape(weights, (-1, 1)), found.dtype)
        return ops.reshape(total, (batch, -1, self.bins**2 * channels))


def level_of(rois, levels):
    """The index of the map that a RoI is looked up on: int32 `[…]` of `[…, 4]`."""
    side = ops.sqrt(areas(rois))
    # As in mmdetection, which adds 1e-6 against a logarithm of 0.
    level = ops.floor(ops.log2(side / FINEST + 1e-6))
    return ops.cast(ops.clip(level, 0, levels - 1), "int32")


def _join(maps, strides):
    """Maps `[B, H, W, C]` in one table of their entries.

    Returns:
        `[B·entries, C]`, the maps of an image after each other, and of each map its height, its
        width, its stride, and the place of its first entry, int32 `[levels, 4]`.
    """
    begin, levels, flat = 0, [], []
    for x, stride in zip(maps, strides, strict=True):
        _, height, width, channels = ops.shape(x)
        numbers = (height, width, stride, begin)
        levels.append(ops.stack([ops.cast(number, "int32") for number in numbers]))
        flat.append(ops.reshape(x, (-1, height * width, channels)))
        begin = begin + height * width
    return ops.reshape(ops.concatenate(flat, axis=1), (-1, channels)), ops.stack(levels)


def _taps(begin, end, size, bins):
    """Where to take the lines of a map for each bin of each RoI, and how much of them.

    Args:
        begin, end: Of the RoIs along the axis, in entries of the map, float32 `[B, R]`.
        size: Entries of the map along the axis, int32 `[B, R]`.
        bins: Bins along the axis.

    Returns:
        Of each tap, indices of lines, int32 `[B·R, bins]`, and weights, float32 of the same shape.
    """
    begin, end, size = (ops.reshape(v, (-1, 1)) for v in (begin, end, size))
    bin_size = (end - begin) / bins
    size = ops.cast(size, "float32")
    taps = []
    for sample in range(SAMPLES):
        places = ops.expand_dims(ops.arange(bins, dtype="float32"), 0) + (sample + 0.5) / SAMPLES
        places = begin - 0.5 + places * bin_size
        inside = ops.logical_and(places >= -1.0, places <= size)
        places = ops.clip(places, 0.0, size - 1.0)
        low = ops.floor(places)
        share = places - low
        near = ops.cast(inside, "float32") / SAMPLES
        high = ops.minimum(low + 1.0, size - 1.0)
        taps.append((ops.cast(low, "int32"), near * (1.0 - share)))
        taps.append((ops.cast(high, "int32"), near * share))
    return taps
