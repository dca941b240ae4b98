"""The losses of a detector, of each image (Ren et al. 2015; He et al. 2017), as mmdetection has
them but for the means: over what was drawn in the image here, over that of the batch there."""

import tensorflow as tf

from pale_tf.boxes import encode
from pale_tf.decoders.roi import DEVIATIONS


def proposal_losses(logits, differences, anchors, boxes, assigned, drawn, there):
    """Losses of the region proposal network.

    Args:
        logits: float32 `[B, A]`.
        differences: float32 `[B, A, 4]`.
        anchors: float32 `[A, 4]`.
        boxes: Of the objects, float32 `[B, G, 4]`.
        assigned: int32 `[B, A]`, see `assignment.assign`.
        drawn, there: Indices of anchors and whether they count, `[B, S]`: `assignment.sample`.

    Returns:
        float32 `[B]` twice: binary cross-entropy, and L1 of the differences of positive anchors;
        both divided by the number of anchors that were drawn.
    """
    found = tf.gather(assigned, drawn, batch_dims=1)
    positive = there & (found >= 0)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(
        tf.cast(positive, tf.float32), tf.gather(logits, drawn, batch_dims=1)
    )
    wanted = encode(tf.gather(boxes, tf.maximum(found, 0), batch_dims=1), tf.gather(anchors, drawn))
    off = tf.abs(tf.gather(differences, drawn, batch_dims=1) - wanted)
    return _mean(entropy, there, there), _mean(tf.reduce_sum(off, -1), positive, there)


def box_losses(logits, differences, rois, boxes, labels, there):
    """Losses of the box head.

    Args:
        logits: float32 `[B, S, classes + 1]`, the background last.
        differences: float32 `[B, S, classes, 4]`.
        rois: float32 `[B, S, 4]`.
        boxes: Of the objects that the RoIs stand for, float32 `[B, S, 4]`.
        labels: Their classes, int32 `[B, S]`; `classes` for the background.
        there: bool `[B, S]`: which RoIs count.

    Returns:
        float32 `[B]` twice: cross-entropy, and L1 of the differences of positive RoIs; both divided
        by the number of RoIs.
    """
    classes = logits.shape[-1] - 1
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    positive = there & (labels < classes)
    own = tf.gather(differences, tf.minimum(labels, classes - 1), batch_dims=2)
    off = tf.abs(own - encode(boxes, rois, DEVIATIONS))
    return _mean(entropy, there, there), _mean(tf.reduce_sum(off, -1), positive, there)


def mask_loss(logits, targets, labels, positive):
    """Loss of the mask head: binary cross-entropy of the true class of positive RoIs.

    Args:
        logits: float32 `[B, P, 28, 28, classes]`.
        targets: float32 `[B, P, 28, 28]`, 0 or 1.
        labels: int32 `[B, P]`.
        positive: bool `[B, P]`.

    Returns:
        float32 `[B]`: the mean over the pixels of positive RoIs; 0 without any.
    """
    own = tf.where(positive, labels, 0)
    moved = tf.transpose(logits, (0, 1, 4, 2, 3))
    chosen = tf.gather(moved, own, batch_dims=2)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets, chosen)
    return _mean(tf.reduce_mean(entropy, axis=(2, 3)), positive, positive)


def _mean(values, chosen, counted):
    """The sum of the chosen values over the number of counted ones, 0 if there is none: `[B]`."""
    total = tf.reduce_sum(tf.where(chosen, values, 0.0), axis=1)
    return total / tf.maximum(tf.reduce_sum(tf.cast(counted, tf.float32), axis=1), 1.0)
