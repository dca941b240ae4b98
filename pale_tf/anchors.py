"""Anchors: the boxes that a region proposal network starts from (Ren et al. 2015, section 3.1)."""

import math

from keras import ops

SCALE = 8  # side of an anchor, in strides of its level
RATIOS = (0.5, 1.0, 2.0)  # of height to width, with the same area


def anchors(height, width, stride):
    """The anchors of one level of a pyramid, as mmdetection places them.

    The anchors of the map's entry `(row, column)` have their middle at `(row, column) * stride`,
    the upper left corner of what the entry stands for.

    Args:
        height, width: Of the map; integers or integer tensors.
        stride: Pixels of the image between two entries.

    Returns:
        float32 `[height * width * 3, 4]`, row by row, for each entry in the order of `RATIOS`.
    """
    sides = [
        (stride * SCALE / math.sqrt(ratio), stride * SCALE * math.sqrt(ratio)) for ratio in RATIOS
    ]
    shapes = ops.convert_to_tensor(
        [[-w / 2, -h / 2, w / 2, h / 2] for w, h in sides], dtype="float32"
    )
    rows = ops.cast(ops.arange(height), "float32") * stride
    columns = ops.cast(ops.arange(width), "float32") * stride
    y, x = ops.meshgrid(rows, columns, indexing="ij")
    places = ops.stack([x, y, x, y], axis=-1)
    placed = ops.expand_dims(ops.reshape(places, (-1, 4)), 1) + ops.expand_dims(shapes, 0)
    return ops.reshape(placed, (-1, 4))
