"""Boxes: areas, overlaps, and a box as the difference from another one.

A box is `(x1, y1, x2, y2)` on the last axis, in pixels; its width is `x2 - x1`. Everything is
computed in float32: with half precision, the pixels of a large image cannot be told apart.
"""

import math

from keras import ops

# Largest growth of a side that a difference can ask for, as in mmdetection.
MOST_GROWTH = 1000 / 16
SMALLEST = 1e-3  # pixels of a side, so that boxes of no size have finite differences


def areas(boxes):
    """Areas of boxes: `[…, 4]` to `[…]`, 0 where a side is negative."""
    width, height = _sides(boxes)
    return ops.relu(width) * ops.relu(height)


def intersection_over_union(boxes, others):
    """The overlap of each box with each other box.

    Args:
        boxes: float32 `[…, N, 4]`.
        others: float32 `[…, M, 4]`.

    Returns:
        float32 `[…, N, M]`, in 0..1; 0 where both have no area.
    """
    x1, y1, x2, y2 = (ops.expand_dims(side, -1) for side in _corners(boxes))
    other_x1, other_y1, other_x2, other_y2 = (
        ops.expand_dims(side, -2) for side in _corners(others)
    )
    width = ops.minimum(x2, other_x2) - ops.maximum(x1, other_x1)
    height = ops.minimum(y2, other_y2) - ops.maximum(y1, other_y1)
    both = ops.relu(width) * ops.relu(height)
    either = ops.expand_dims(areas(boxes), -1) + ops.expand_dims(areas(others), -2) - both
    return ops.where(either > 0, both / ops.where(either > 0, either, 1.0), 0.0)


def encode(boxes, references, deviations=(1.0, 1.0, 1.0, 1.0)):
    """The differences that turn references into boxes (Girshick et al. 2014, appendix C).

    Args:
        boxes: float32 `[…, 4]`.
        references: float32 `[…, 4]`.
        deviations: What the differences are divided by.

    Returns:
        float32 `[…, 4]`: shifts of the center in sides of the reference, right and down, and
        logarithms of the growth of width and height. Sides count as `SMALLEST` at least.
    """
    x, y, width, height = _centers(boxes)
    reference_x, reference_y, reference_width, reference_height = _centers(references)
    differences = (
        (x - reference_x) / reference_width,
        (y - reference_y) / reference_height,
        ops.log(width / reference_width),
        ops.log(height / reference_height),
    )
    return ops.stack([d / s for d, s in zip(differences, deviations, strict=True)], axis=-1)


def decode(differences, references, deviations=(1.0, 1.0, 1.0, 1.0)):
    """The boxes that differences make of references: the inverse of `encode`.

    A side grows or shrinks `MOST_GROWTH` times at most.

    Args:
        differences: float32 `[…, 4]`.
        references: float32 `[…, 4]`.
        deviations: As in `encode`.

    Returns:
        float32 `[…, 4]`.
    """
    right, down, wider, higher = (
        difference * deviation
        for difference, deviation in zip(_corners(differences), deviations, strict=True)
    )
    x, y, width, height = _centers(references)
    most = math.log(MOST_GROWTH)
    x, y = x + right * width, y + down * height
    half_width = 0.5 * width * ops.exp(ops.clip(wider, -most, most))
    half_height = 0.5 * height * ops.exp(ops.clip(higher, -most, most))
    return ops.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=-1)


def clip(boxes, height, width):
    """Boxes within an image of a height and a width, numbers or tensors that broadcast to `[…]`."""
    x1, y1, x2, y2 = _corners(boxes)
    height, width = ops.cast(height, "float32"), ops.cast(width, "float32")
    return ops.stack(
        [
            ops.clip(x1, 0.0, width),
            ops.clip(y1, 0.0, height),
            ops.clip(x2, 0.0, width),
            ops.clip(y2, 0.0, height),
        ],
        axis=-1,
    )


def _corners(boxes):
    return ops.unstack(ops.cast(boxes, "float32"), 4, axis=-1)


def _sides(boxes):
    x1, y1, x2, y2 = _corners(boxes)
    return x2 - x1, y2 - y1


def _centers(boxes):
    """Center and sides, which are `SMALLEST` at least."""
    x1, y1, x2, y2 = _corners(boxes)
    width, height = ops.maximum(x2 - x1, SMALLEST), ops.maximum(y2 - y1, SMALLEST)
    return 0.5 * (x1 + x2), 0.5 * (y1 + y2), width, height
