"""Mask R-CNN in float64 NumPy, with loops, from the pyramid of the backbone to boxes and masks.

Shares no code with `pale_tf`.
"""

import math

import numpy as np

from tests.pale_tf import boxes_oracle
from tests.pale_tf.boxes_oracle import area, clip, decode
from tests.pale_tf.decoders.oracle import convolve

STRIDES = {"P2": 4, "P3": 8, "P4": 16, "P5": 32, "P6": 64}


def convolution(x, weights):
    return convolve(x, weights["kernel"]) + weights["bias"]


def pyramid(levels, weights):
    """Lin et al. 2017: laterals, nearest from above, 3×3 each, and every other entry of P5."""
    found, top = {}, None
    for level in ("P5", "P4", "P3", "P2"):
        x = convolution(levels[level], weights[f"lateral_{level}"])
        if top is not None:
            x = x + top.repeat(2, axis=1).repeat(2, axis=2)
        top = x
        found[level] = convolution(x, weights[f"fpn_{level}"])
    found["P6"] = found["P5"][:, ::2, ::2]
    return dict(sorted(found.items()))


def region_proposal_head(maps, weights):
    """By level, logits `[B, h, w, 3]` and differences `[B, h, w, 12]`."""
    found = {}
    for level, x in maps.items():
        hidden = np.maximum(convolution(x, weights["rpn_conv"]), 0)
        logits = convolution(hidden, weights["rpn_objectness"])
        found[level] = logits, convolution(hidden, weights["rpn_differences"])
    return found


def proposals(outputs, image, size, count, per_level, threshold=0.7):
    """RoIs of an image, the best first: Ren et al. 2015, as mmdetection."""
    found = []
    for level, (logits, differences) in outputs.items():
        placed = boxes_oracle.anchors(*logits.shape[1:3], STRIDES[level])
        logits, differences = logits[image].ravel(), differences[image].reshape(-1, 4)
        best = np.argsort(-logits, kind="stable")[:per_level]
        boxes = [clip(decode(differences[i], placed[i], [1] * 4), *size) for i in best]
        for kept in boxes_oracle.suppress(boxes, threshold):
            if area(boxes[kept]) > 0:
                found.append((logits[best[kept]], boxes[kept]))
    found.sort(key=lambda entry: -entry[0])
    return [box for _, box in found[:count]]


def corners(shape, v, u):
    """The entries of a map that a place between them is made of: `(row, column, weight)`."""
    height, width = shape[:2]
    if not (-1 <= v <= height and -1 <= u <= width):
        return
    v, u = min(max(v, 0), height - 1), min(max(u, 0), width - 1)
    top, left = math.floor(v), math.floor(u)
    low, right = min(top + 1, height - 1), min(left + 1, width - 1)
    yield top, left, (1 - v + top) * (1 - u + left)
    yield top, right, (1 - v + top) * (u - left)
    yield low, left, (v - top) * (1 - u + left)
    yield low, right, (v - top) * (u - left)


def alignment(maps, box, bins):
    """RoIAlign of a box, mmdetection's `aligned`, with 2×2 samples in a bin.

    Returns:
        The level, and `(row, column of bins, row, column of the map, weight)`.
    """
    side = math.sqrt(area(box))
    level = f"P{2 + min(max(math.floor(math.log2(side / 56 + 1e-6)), 0), 3)}"
    left, top, right, bottom = (v / STRIDES[level] for v in box)
    taps = []
    for row, column, i, j in np.ndindex(bins, bins, 2, 2):
        v = top - 0.5 + (row + (i + 0.5) / 2) * (bottom - top) / bins
        u = left - 0.5 + (column + (j + 0.5) / 2) * (right - left) / bins
        for y, x, weight in corners(maps[level].shape[1:], v, u):
            taps.append((row, column, y, x, weight / 4))
    return level, taps


def align(maps, box, image, bins):
    level, taps = alignment(maps, box, bins)
    found = np.zeros((bins, bins, maps[level].shape[-1]))
    for row, column, y, x, weight in taps:
        found[row, column] += weight * maps[level][image, y, x]
    return found


def align_gradients(maps, box, image, bins, gradient):
    """Of each map `[B, H, W, C]`, what a gradient of `align`, `[bins, bins, C]`, becomes."""
    level, taps = alignment(maps, box, bins)
    found = {name: np.zeros(x.shape) for name, x in maps.items()}
    for row, column, y, x, weight in taps:
        found[level][image, y, x] += weight * gradient[row, column]
    return found


def dense(x, weights):
    return x @ weights["kernel"] + weights["bias"]


def box_head(x, weights):
    """Logits `[classes + 1]` and differences `[classes, 4]` of a RoI, `[7, 7, C]`."""
    x = np.maximum(dense(x.ravel(), weights["box_head/hidden1"]), 0)
    x = np.maximum(dense(x, weights["box_head/hidden2"]), 0)
    differences = dense(x, weights["box_head/differences"])
    return dense(x, weights["box_head/classes"]), differences.reshape(-1, 4)


def detections(rois, outputs, size, most, threshold, nms):
    """`(score, class, box)` of an image, the best first; `outputs` as `box_head` gives them."""
    candidates = []
    for box, (logits, differences) in zip(rois, outputs, strict=True):
        scores = np.exp(logits - logits.max())
        scores /= scores.sum()
        for label, score in enumerate(scores[:-1]):
            if score > threshold and area(box) > 0:
                moved = clip(decode(differences[label], box, (0.1, 0.1, 0.2, 0.2)), *size)
                candidates.append((score, label, moved))
    candidates.sort(key=lambda entry: -entry[0])
    groups = [label for _, label, _ in candidates]
    kept = boxes_oracle.suppress([box for *_, box in candidates], nms, groups)
    return [candidates[index] for index in kept][:most]


def mask_head(x, weights):
    """He et al. 2017: four convolutions, one that doubles the sides, and a 1×1 convolution.

    Logits `[N, 28, 28, classes]` of RoIs `[N, 14, 14, C]`.
    """
    for index in range(1, 5):
        x = np.maximum(convolution(x, weights[f"mask_head/conv{index}"]), 0)
    up = weights["mask_head/upsampling"]  # kernel [2, 2, out, in]
    large = np.zeros((len(x), 28, 28, up["kernel"].shape[2]))
    for i, j in np.ndindex(2, 2):
        large[:, i::2, j::2] = x @ up["kernel"][i, j].T
    return convolution(np.maximum(large + up["bias"], 0), weights["mask_head/logits"])


def mask(maps, box, label, weights, image):
    """Probabilities `[28, 28]` of the mask of a box."""
    logits = mask_head(align(maps, box, image, 14)[None], weights)[0, ..., label]
    return 1 / (1 + np.exp(-logits))


def weights_of(layers):
    """By layer, or layer and sublayer, the weights by name, in float64."""
    found = {}
    for layer in layers:
        for weight in layer.weights:
            *path, name = weight.path.split("/")
            found.setdefault("/".join(path), {})[name] = np.asarray(weight, "float64")
    return found
