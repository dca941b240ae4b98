"""The region proposal network (Ren et al. 2015), as mmdetection builds it."""

import keras
from keras import ops

from pale_tf import names
from pale_tf.anchors import RATIOS, anchors
from pale_tf.boxes import areas, clip, decode
from pale_tf.checks import check_positive_int
from pale_tf.decoders.fpn import convolution
from pale_tf.layers.initializers import SCORES_INITIALIZER
from pale_tf.suppression import suppress


def region_proposal_head(pyramid, channels):
    """Scores anchors, and says how they have to change: the same three convolutions on each level.

    Args:
        pyramid: Dict of Keras tensors `"P2"` to `"P6"`.
        channels: Channels of the hidden convolution; 256 in the paper.

    Returns:
        Dicts by level of the logits of anchors to be objects, `[B, h, w, 3]`, and of their
        differences, `[B, h, w, 12]`, both float32.
    """
    hidden = convolution(channels, 3, "rpn_conv", "relu", SCORES_INITIALIZER)
    options = {"initializer": SCORES_INITIALIZER, "dtype": "float32"}
    objectness = convolution(len(RATIOS), 1, names.RPN_OBJECTNESS, **options)
    differences = convolution(4 * len(RATIOS), 1, names.RPN_DIFFERENCES, **options)
    maps = {level: hidden(x) for level, x in pyramid.items()}
    return (
        {level: objectness(x) for level, x in maps.items()},
        {level: differences(x) for level, x in maps.items()},
    )


@keras.saving.register_keras_serializable(package="pale_tf")
class Proposals(keras.layers.Layer):
    """The boxes that are most probably objects.

    The best `per_level` of each level become boxes within the image; of those, suppression leaves
    some; and of all levels together, the best `count` are taken.

    Takes heights and widths of the images, which bound the boxes, `[B, 2]`, and lists of logits
    `[B, h, w, 3]` and of differences `[B, h, w, 12]`. Gives RoIs, float32 `[B, count, 4]`, best
    first; where there are fewer, the rest is 0. Passes no gradient.

    Args:
        count: Boxes of an image.
        per_level: Boxes of a level that are looked at.
        threshold: As in `pale_tf.suppression.suppress`.
        strides: Pixels of the image between two entries of each level.
    """

    def __init__(
        self, count=1000, per_level=1000, threshold=0.7, strides=(4, 8, 16, 32, 64), **kwargs
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.count = check_positive_int("count", count)
        self.per_level = check_positive_int("per_level", per_level)
        self.threshold = threshold
        self.strides = tuple(strides)

    def call(self, inputs):
        sizes, logits, differences = inputs
        height, width = ops.split(sizes, 2, axis=1)  # [B, 1]
        boxes, scores = [], []
        for stride, logit, difference in zip(self.strides, logits, differences, strict=True):
            box, score = self._of_level(logit, difference, stride, height, width)
            boxes.append(box)
            scores.append(score)
        boxes = ops.concatenate([*boxes, ops.zeros_like(boxes[0][:, :1])], axis=1)
        scores = ops.concatenate([*scores, -ops.ones_like(scores[0][:, :1])], axis=1)
        best, places = top(scores, self.count)
        found = take(boxes, places) * ops.expand_dims(ops.cast(best >= 0, "float32"), -1)
        return ops.stop_gradient(found)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], self.count, 4)

    def get_config(self):
        return {
            **super().get_config(),
            "count": self.count,
            "per_level": self.per_level,
            "threshold": self.threshold,
            "strides": self.strides,
        }

    def _of_level(self, logits, differences, stride, height, width):
        """Boxes of a level, `[B, K, 4]`, and their scores; -1 for what does not count."""
        _, rows, columns, _ = ops.shape(logits)
        amount = rows * columns * len(RATIOS)
        logits = ops.reshape(ops.cast(logits, "float32"), (-1, amount))
        differences = ops.reshape(ops.cast(differences, "float32"), (-1, amount, 4))
        best, places = ops.top_k(logits, smaller(self.per_level, amount))
        placed = ops.take(anchors(rows, columns, stride), places, axis=0)
        boxes = clip(decode(take(differences, places), placed), height, width)
        staying = ops.logical_and(suppress(boxes, self.threshold), areas(boxes) > 0)
        return boxes, ops.where(staying, ops.sigmoid(best), -1.0)


def smaller(count, amount):
    """The smaller of an integer and of one that may be known at run time only."""
    return min(count, amount) if isinstance(amount, int) else ops.minimum(count, amount)


def top(scores, count):
    """The `count` largest of `scores`, `[B, N]`, and their places. Where N is smaller, the last
    place, whose score must be negative, fills up."""
    amount = ops.shape(scores)[1]
    best, places = ops.top_k(scores, smaller(count, amount))
    if isinstance(amount, int) and amount >= count:
        return best, places
    missing = count - smaller(count, amount)
    best = ops.pad(best, ((0, 0), (0, missing)), constant_values=-1.0)
    last = ops.cast(amount - 1, places.dtype)
    filled = ops.pad(places - last, ((0, 0), (0, missing))) + last
    return ops.reshape(best, (-1, count)), ops.reshape(filled, (-1, count))


def take(values, places):
    """Entries of `values`, `[B, N, D]`, at places `[B, K]`: `[B, K, D]`."""
    return ops.take_along_axis(values, ops.expand_dims(places, -1), axis=1)
