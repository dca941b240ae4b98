"""LayerNorm, BatchNorm, and their constants. The paper gives none; these are PyTorch's defaults,
which Swin, CvT and CSWin use (Keras' own differ)."""

import math

import keras
from keras import ops

from pale_tf.layers.folding import Foldable
from pale_tf.tokens import to_map, to_tokens

LAYER_NORM_EPSILON = 1e-5
BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9


@keras.saving.register_keras_serializable(package="pale_tf")
class LayerNorm(Foldable, keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` over the channels: the same numbers in a third of the time.

    Keras multiplies deviation and affine part first, into one more tensor of the size of the map,
    and broadcasts over four axes. Computed in float32 under every dtype policy, as Keras does.
    """

    def __init__(self, epsilon=LAYER_NORM_EPSILON, **kwargs):
        super().__init__(epsilon=epsilon, **kwargs)

    def call(self, inputs):
        x = ops.cast(to_tokens(inputs), "float32")
        x = x - ops.mean(x, axis=-1, keepdims=True)
        x = x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + self.epsilon)
        if self.scale:
            x = x * ops.cast(self.gamma, "float32")
        if self.center:
            x = x + ops.cast(self.beta, "float32")
        return to_map(ops.cast(x, self.compute_dtype), inputs)


@keras.saving.register_keras_serializable(package="pale_tf")
class BatchNorm(Foldable, keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the channels of maps: the same numbers, in training in
    two thirds of the time.

    What the networks do not use is left to Keras: other axes, norms without `gamma` or `beta`,
    renormalization, statistics that are synchronized over replicas. Computed in float32 under every
    dtype policy.
    """

    def __init__(self, momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None):
        usual = self.axis == -1 and self.scale and self.center and not self.renorm
        if not training or not self.trainable or self.synchronized or not usual:
            return super().call(inputs, training=training)
        x, gamma, beta = (ops.cast(part, "float32") for part in (inputs, self.gamma, self.beta))
        mean, variance = moments(x)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(
                ops.cast(average, "float32") * self.momentum + value * (1.0 - self.momentum)
            )
        outputs = _normalize(x, gamma, beta, mean, ops.rsqrt(variance + self.epsilon))
        return ops.cast(outputs, self.compute_dtype)


def moments(x):
    """Mean and variance of each channel, through which no gradient goes.

    The variance is the mean of squares less the square of the mean, as Flax' BatchNorm takes it:
    one pass less, and rounding where the mean is far from 0.

    Args:
        x: Maps, float32 `[B, H, W, C]`.

    Returns:
        Two `[C]`.
    """
    x = ops.stop_gradient(x)
    mean = _mean(x)
    return mean, ops.maximum(_mean(ops.square(x)) - ops.square(mean), 0.0)


@ops.custom_gradient
def _normalize(x, gamma, beta, mean, scale):
    """Normalizes maps by the statistics of the batch (Ioffe & Szegedy 2015).

    The gradient is written out: derived operation by operation, it passes over memory three times
    as often. It is that of `x` through mean and scale too, which get none.

    Args:
        x: Maps, float32 `[B, H, W, C]`.
        gamma, beta, mean, scale: float32 `[C]`; the scale is one over the deviation.

    Returns:
        Maps.
    """
    factor = gamma * scale

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        to_beta = _mean(upstream)
        to_gamma = (_mean(upstream * x) - mean * to_beta) * scale
        slope = factor * scale * to_gamma
        to_x = upstream * factor - x * slope + (mean * slope - factor * to_beta)
        count = ops.cast(math.prod(ops.shape(x)[:3]), "float32")
        nothing = ops.zeros_like(mean)
        return to_x, to_gamma * count, to_beta * count, nothing, nothing

    return x * factor + (beta - mean * factor), gradient


def _mean(x):
    """Mean of each channel, `[B, H, W, C] -> [C]`."""
    # Of each image first: TensorFlow's CPU sums over the leading axis take two times as long.
    return ops.mean(ops.mean(x, axis=(1, 2)), axis=0)
