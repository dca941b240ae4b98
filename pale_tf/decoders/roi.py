"""The box head of a detector (Girshick 2015), as mmdetection builds it, and what it detects."""

import keras
from keras import ops

from pale_tf.boxes import areas, clip, decode
from pale_tf.checks import check_positive_int
from pale_tf.decoders.rpn import smaller, take, top
from pale_tf.layers.folding import Foldable
from pale_tf.layers.initializers import PYRAMID_INITIALIZER, SCORES_INITIALIZER
from pale_tf.suppression import suppress

BINS = 7
DEVIATIONS = (0.1, 0.1, 0.2, 0.2)  # of differences
CANDIDATES = 1000  # boxes of classes, the best of an image, among which suppression looks

DIFFERENCES_INITIALIZER = keras.initializers.RandomNormal(stddev=0.001)


@keras.saving.register_keras_serializable(package="pale_tf")
class BoxHead(Foldable, keras.layers.Layer):
    """Scores the classes of RoIs, and says how a RoI has to change to be a box of each class.

    Takes what `RoIAlign` gives, `[N, 7, 7, C]`. Gives logits `[N, classes + 1]`, the last one of
    the background, and differences `[N, 4·classes]`; float32.

    Args:
        classes: Number of classes.
        hidden: Units of the two shared layers; 1,024 in the paper.
    """

    def __init__(self, classes, hidden, **kwargs):
        super().__init__(**kwargs)
        self.classes = check_positive_int("classes", classes)
        self.hidden = check_positive_int("hidden", hidden)

    def build(self, input_shape):
        inputs = input_shape[1] * input_shape[2] * input_shape[3]
        dense, policy = keras.layers.Dense, self.dtype_policy
        start = PYRAMID_INITIALIZER
        self.hidden1 = dense(
            self.hidden, "relu", kernel_initializer=start.clone(), dtype=policy, name="hidden1"
        )
        self.hidden2 = dense(
            self.hidden, "relu", kernel_initializer=start.clone(), dtype=policy, name="hidden2"
        )
        self.scores = dense(
            self.classes + 1,
            kernel_initializer=SCORES_INITIALIZER.clone(),
            dtype="float32",
            name="classes",
        )
        self.differences = dense(
            4 * self.classes,
            kernel_initializer=DIFFERENCES_INITIALIZER.clone(),
            dtype="float32",
            name="differences",
        )
        self.hidden1.build((None, inputs))
        for layer in (self.hidden2, self.scores, self.differences):
            layer.build((None, self.hidden))
        self.built = True

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        x = ops.reshape(inputs, (-1, height * width * channels))
        x = self.hidden2(self.hidden1(x))
        return self.scores(x), self.differences(x)

    def compute_output_spec(self, inputs):
        count = inputs.shape[0]
        return (
            keras.KerasTensor((count, self.classes + 1), "float32"),
            keras.KerasTensor((count, 4 * self.classes), "float32"),
        )

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "hidden": self.hidden}


@keras.saving.register_keras_serializable(package="pale_tf")
class Detections(keras.layers.Layer):
    """The boxes that are found: of each class those that suppression leaves, of all the best.

    Suppression looks at the best `CANDIDATES` pairs of a RoI and a class. It is greedy, so this
    changes nothing unless fewer than `count` of them stay.

    Takes heights and widths of the images `[B, 2]`, RoIs `[B, R, 4]`, logits `[B·R, classes + 1]`
    and differences `[B·R, 4·classes]`. Gives a dict, best first, zeros after `count`: `boxes`
    float32 `[B, N, 4]`, in pixels, `scores` float32 `[B, N]`, `classes` int32 `[B, N]`, and `count`
    int32 `[B]`.

    Args:
        count: Boxes of an image at most, `N`.
        score_threshold: Probability that a box must exceed.
        nms_threshold: As in `pale_tf.suppression.suppress`, among boxes of a class.
    """

    def __init__(self, count=100, score_threshold=0.05, nms_threshold=0.5, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.count = check_positive_int("count", count)
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold

    def call(self, inputs):
        sizes, rois, logits, differences = inputs
        height, width = ops.split(sizes, 2, axis=1)  # [B, 1]
        regions, classes = ops.shape(rois)[1], logits.shape[-1] - 1
        scores = ops.reshape(ops.softmax(logits), (-1, regions, classes + 1))[..., :-1]
        known = ops.logical_and(scores > self.score_threshold, ops.expand_dims(areas(rois) > 0, -1))
        pairs = ops.reshape(ops.where(known, scores, -1.0), (-1, regions * classes))
        best, places = ops.top_k(pairs, smaller(CANDIDATES, regions * classes))
        found = places % classes
        differences = ops.reshape(differences, (-1, regions * classes, 4))
        boxes = decode(take(differences, places), take(rois, places // classes), DEVIATIONS)
        boxes = clip(boxes, height, width)
        # What is below the threshold suppresses nothing, as it comes last.
        staying = suppress(boxes, self.nms_threshold, found)
        best, order = top(ops.where(staying, best, -1.0), self.count)
        real = best > 0
        return {
            "boxes": take(boxes, order) * ops.expand_dims(ops.cast(real, "float32"), -1),
            "scores": ops.relu(best),
            "classes": ops.where(
                real, ops.cast(ops.take_along_axis(found, order, axis=1), "int32"), 0
            ),
            "count": ops.sum(ops.cast(real, "int32"), axis=1),
        }

    def compute_output_spec(self, inputs):
        batch = inputs[0].shape[0]
        return {
            "boxes": keras.KerasTensor((batch, self.count, 4), "float32"),
            "scores": keras.KerasTensor((batch, self.count), "float32"),
            "classes": keras.KerasTensor((batch, self.count), "int32"),
            "count": keras.KerasTensor((batch,), "int32"),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "count": self.count,
            "score_threshold": self.score_threshold,
            "nms_threshold": self.nms_threshold,
        }
