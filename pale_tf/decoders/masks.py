"""The mask head of a detector (He et al. 2017, section 3), as mmdetection builds it."""

import keras
from keras import ops

from pale_tf.checks import check_positive_int
from pale_tf.layers.folding import Foldable
from pale_tf.layers.initializers import CONVOLUTION_INITIALIZER

BINS = 14
CONVOLUTIONS = 4


@keras.saving.register_keras_serializable(package="pale_tf")
class MaskHead(Foldable, keras.layers.Layer):
    """The logits of masks in boxes, one for each class.

    Takes what `RoIAlign` gives, `[N, 14, 14, C]`. Gives float32 `[N, 28, 28, classes]`.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes, **kwargs):
        super().__init__(**kwargs)
        self.classes = check_positive_int("classes", classes)

    def build(self, input_shape):
        channels = input_shape[-1]
        options = {"data_format": "channels_last", "dtype": self.dtype_policy}
        self.convolutions = [
            keras.layers.Conv2D(
                channels,
                3,
                padding="same",
                activation="relu",
                kernel_initializer=CONVOLUTION_INITIALIZER.clone(),
                name=f"conv{index}",
                **options,
            )
            for index in range(1, CONVOLUTIONS + 1)
        ]
        self.upsampling = keras.layers.Conv2DTranspose(
            channels,
            2,
            2,
            activation="relu",
            kernel_initializer=CONVOLUTION_INITIALIZER.clone(),
            name="upsampling",
            **options,
        )
        self.logits = keras.layers.Conv2D(
            self.classes,
            1,
            kernel_initializer=CONVOLUTION_INITIALIZER.clone(),
            name="logits",
            **{**options, "dtype": "float32"},
        )
        for layer in (*self.convolutions, self.upsampling, self.logits):
            layer.build((None, None, None, channels))
        self.built = True

    def call(self, inputs):
        x = inputs
        for layer in (*self.convolutions, self.upsampling, self.logits):
            x = layer(x)
        return x

    def compute_output_spec(self, inputs):
        count, height, width, _ = inputs.shape
        return keras.KerasTensor((count, 2 * height, 2 * width, self.classes), "float32")

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable(package="pale_tf")
class MaskOfClass(keras.layers.Layer):
    """The mask of each box's own class.

    Takes logits `[B·N, 28, 28, classes]`, and the classes and the scores of the boxes, `[B, N]`.
    Gives float32 `[B, N, 28, 28]`, probabilities in 0..1; 0 after `count`.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, inputs):
        logits, classes, scores = inputs
        count = classes.shape[1]
        _, height, width, _ = ops.shape(logits)
        own = ops.reshape(classes, (-1, 1, 1, 1))
        chosen = ops.take_along_axis(logits, own, axis=-1)
        real = ops.cast(scores > 0, "float32")
        masks = ops.reshape(ops.sigmoid(chosen), (-1, count, height, width))
        return masks * ops.expand_dims(ops.expand_dims(real, -1), -1)

    def compute_output_shape(self, input_shape):
        logits, classes, _ = input_shape
        return (*classes, *logits[1:3])
