"""Stochastic depth per sample."""

import keras
from keras import ops

from pale_tf.checks import check_rate
from pale_tf.layers.folding import Foldable


@keras.saving.register_keras_serializable(package="pale_tf")
class DropPath(Foldable, keras.layers.Layer):
    """Drops the residual branches of whole samples in training: `[B, …] -> [B, …]`.

    Stochastic depth (Huang et al. 2016), sample by sample. Kept branches are scaled by
    `1 / (1 - rate)`, so that the expectation is that of inference. A layer that is not trainable
    drops nothing, as Keras' BatchNorm keeps its statistics then.

    Args:
        rate: Probability of dropping a sample's branch, in `[0, 1)`.
        seed: Integer seed, or None for a random one.

    Raises:
        ValueError: If the rate is not in `[0, 1)`.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        check_rate("rate", rate)
        self.rate = rate
        self.seed = seed
        if rate > 0.0:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs, training=False):
        if not training or not self.trainable or self.rate == 0.0:
            return inputs
        keep = 1.0 - self.rate
        shape = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        # Drawn in float32: in bfloat16, uniform numbers are too coarse for small rates.
        kept = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) < keep
        return inputs * ops.cast(kept, inputs.dtype) / keep

    def fused_config(self):
        return None

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
