"""The losses of a detector in float64 NumPy, with loops. Shares no code with `training`."""

import math

import numpy as np

from tests.pale_tf import boxes_oracle


def binary_entropy(logit, target):
    probable = logit if target else -logit
    return math.log1p(math.exp(-abs(probable))) + max(-probable, 0)


def entropy(logits, label):
    most = max(logits)
    return most + math.log(sum(math.exp(x - most) for x in logits)) - logits[label]


def distance(differences, box, reference, deviations):
    wanted = boxes_oracle.encode(box, reference, deviations)
    return sum(abs(a - b) for a, b in zip(differences, wanted, strict=True))


def proposal_losses(logits, differences, anchors, boxes, assigned, drawn, there):
    """Of an image: see `training.detection.losses`."""
    chosen = [index for index, real in zip(drawn, there, strict=True) if real]
    positive = [index for index in chosen if assigned[index] >= 0]
    total = sum(binary_entropy(logits[index], assigned[index] >= 0) for index in chosen)
    off = sum(
        distance(differences[index], boxes[assigned[index]], anchors[index], [1] * 4)
        for index in positive
    )
    return total / max(len(chosen), 1), off / max(len(chosen), 1)


def box_losses(logits, differences, rois, boxes, labels, there):
    classes = logits.shape[-1] - 1
    chosen = np.flatnonzero(there)
    total = sum(entropy(logits[index], labels[index]) for index in chosen)
    off = sum(
        distance(
            differences[index, labels[index]], boxes[index], rois[index], boxes_oracle.DEVIATIONS
        )
        for index in chosen
        if labels[index] < classes
    )
    return total / max(len(chosen), 1), off / max(len(chosen), 1)


def mask_loss(logits, targets, labels, positive):
    total, count = 0.0, 0
    for index in np.flatnonzero(positive):
        for row, column in np.ndindex(targets.shape[1:]):
            logit = logits[index, row, column, labels[index]]
            total += binary_entropy(logit, targets[index, row, column] > 0)
            count += 1
    return total / max(count, 1)
