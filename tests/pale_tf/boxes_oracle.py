"""Boxes in float64 NumPy, with loops, from their definitions. Shares no code with `pale_tf`.

Also boxes to try: random ones, and degenerate ones.
"""

import math

import numpy as np

DEVIATIONS = (0.1, 0.1, 0.2, 0.2)
# Of no area, turned around, far outside, touching.
DEGENERATE = [
    *([3, 3, 3, 9], [3, 3, 9, 3], [5, 5, 5, 5], [9, 9, 2, 2]),
    *([-1e4, -1e4, -9e3, -9e3], [1e5, 0, 1.1e5, 7], [0, 0, 4, 4], [4, 0, 8, 4]),
]


def random_boxes(seed, *shape, size=100.0):
    """Boxes `[*shape, 4]`, none of which is degenerate."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, size, (*shape, 2))
    return np.concatenate([corners, corners + rng.uniform(0, size / 2, (*shape, 2))], -1)


def some_boxes(seed, count=12):
    """Random and degenerate boxes, some of them equal: float32 `[count + 11, 4]`."""
    found = random_boxes(seed, count)
    return np.concatenate([found, DEGENERATE, DEGENERATE[:3]]).astype("float32")


def area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def overlap(a, b):
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    either = area(a) + area(b) - both
    return both / either if either > 0 else 0.0


def suppress(boxes, threshold, groups=None):
    """Greedy: the indices of the boxes that stay."""
    kept = []
    for index, box in enumerate(boxes):
        rivals = [k for k in kept if groups is None or groups[k] == groups[index]]
        if all(overlap(boxes[k], box) <= threshold for k in rivals):
            kept.append(index)
    return kept


def encode(box, reference, deviations):
    def parts(b):
        return (b[0] + b[2]) / 2, (b[1] + b[3]) / 2, max(b[2] - b[0], 1e-3), max(b[3] - b[1], 1e-3)

    (x, y, w, h), (rx, ry, rw, rh) = parts(box), parts(reference)
    differences = (x - rx) / rw, (y - ry) / rh, math.log(w / rw), math.log(h / rh)
    return [d / s for d, s in zip(differences, deviations, strict=True)]


def decode(differences, box, deviations):
    dx, dy, dw, dh = (d * s for d, s in zip(differences, deviations, strict=True))
    most = math.log(1000 / 16)
    w, h = max(box[2] - box[0], 1e-3), max(box[3] - box[1], 1e-3)
    x, y = (box[0] + box[2]) / 2 + dx * w, (box[1] + box[3]) / 2 + dy * h
    w, h = w * math.exp(min(max(dw, -most), most)), h * math.exp(min(max(dh, -most), most))
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def clip(box, height, width):
    return [min(max(v, 0), most) for v, most in zip(box, [width, height] * 2, strict=True)]


def anchors(height, width, stride):
    found = []
    for row in range(height):
        for column in range(width):
            for ratio in (0.5, 1.0, 2.0):
                w, h = 8 * stride / math.sqrt(ratio), 8 * stride * math.sqrt(ratio)
                x, y = column * stride, row * stride
                found.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return np.array(found)
