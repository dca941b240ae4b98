"""Scores of tokens, by which an MLP is spent on some of them only (Rao et al. 2022, DynamicViT)."""

import keras
from keras import ops

from pale_tf import selection
from pale_tf.checks import check_keep
from pale_tf.layers.folding import Foldable
from pale_tf.layers.gelu import gelu
from pale_tf.layers.normalization import LayerNorm

SCORES = ("predictor", "norm")
# Of the loss that keeps the share. DynamicViT divides it by the number of its selections, and has
# losses of distillation beside it; here, every stage that selects has the whole, and no others.
RATIO_WEIGHT = 2.0


@keras.saving.register_keras_serializable(package="pale_tf")
class TokenSelection(Foldable, keras.layers.Layer):
    """Ranks the tokens of a map, and says which are kept.

    - `"predictor"`: DynamicViT's small network. After LayerNorm, a point-wise layer and GELU, half
      of each token is joined with the mean of the other half over the map. Three point-wise layers
      give the logarithms of two probabilities: to be kept, and not. In training, Gumbel noise
      decides token by token, the gradient goes through the probability, and a loss pulls the share
      that is kept to `keep`. In inference, the best are kept.
    - `"norm"`: the tokens of the largest L2 norm are kept, in training too, as Chen et al. 2023,
      SparseViT, rank windows. It has no weights and no gradient.

    Returns, of a map `[B, H, W, C]`:
        The mask of what is kept, 1 or 0, `[B, H, W, 1]`; the ranking of the tokens, best first,
        int32 `[B, H·W]`; and the rank of each token, its inverse. Those that rank before
        `selection.kept_count(H·W, keep)` are kept in inference.

    Args:
        keep: Share of the tokens that is kept, in `(0, 1]`.
        scores: `"predictor"` or `"norm"`.
        kernel_initializer: Initializer of the point-wise kernels.
        seed: Integer seed of the noise, or None for a random one.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self, keep, scores="predictor", kernel_initializer="glorot_uniform", seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        check_keep("keep", keep)
        check_scores("scores", scores)
        self.keep = keep
        self.scores = scores
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        if scores == "predictor":
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        if self.scores == "predictor":
            channels = input_shape[-1]
            self.norm = LayerNorm(dtype=self.dtype_policy, name="norm")
            self.norm.build((None, channels))
            width = channels
            for name, units in self._units(channels).items():
                layer = keras.layers.Dense(
                    units,
                    kernel_initializer=self.kernel_initializer.clone(),
                    dtype=self.dtype_policy,
                    name=name,
                )
                layer.build((None, width))
                setattr(self, name, layer)
                width = units
        self.built = True

    def _units(self, channels):
        narrower, narrow = max(1, channels // 4), max(1, channels // 2)
        return {"embed": channels, "hidden1": narrow, "hidden2": narrower, "score": 2}

    def call(self, inputs, training=None):
        _, height, width, channels = ops.shape(inputs)
        tokens = ops.reshape(inputs, (-1, height * width, channels))
        if self.scores == "norm":
            scores = ops.sum(ops.square(ops.cast(tokens, "float32")), axis=-1)
        else:
            logits = self._predict(tokens, training)  # [B, N, 2], float32
            scores = logits[..., 0]
        ranking = selection.ranking(scores)
        ranks = selection.inverse(ranking)
        # A layer that is not trainable selects as in inference.
        if self.scores == "predictor" and training and self.trainable:
            mask = self._draw(logits)
        else:
            mask = ranks < selection.kept_count(height * width, self.keep)
        mask = ops.reshape(ops.cast(mask, self.compute_dtype), (-1, height, width, 1))
        return mask, ranking, ranks

    def _predict(self, tokens, training):
        """Logarithms of the probabilities that each token is kept, and that it is not."""
        _, count, channels = ops.shape(tokens)
        x = ops.reshape(tokens, (-1, channels))
        x = ops.reshape(gelu(self.embed(self.norm(x)), training), (-1, count, channels))
        own, common = x[..., : channels // 2], x[..., channels // 2 :]
        common = ops.broadcast_to(ops.mean(common, axis=1, keepdims=True), ops.shape(common))
        x = ops.reshape(ops.concatenate([own, common], axis=-1), (-1, channels))
        x = self.score(gelu(self.hidden2(gelu(self.hidden1(x), training)), training))
        return ops.log_softmax(ops.reshape(ops.cast(x, "float32"), (-1, count, 2)), axis=-1)

    def _draw(self, logits):
        """A mask `[B, N]` with noise, straight-through; adds the loss of its share."""
        uniform = keras.random.uniform(
            ops.shape(logits), 1e-6, 1.0 - 1e-6, dtype="float32", seed=self.seed_generator
        )
        noisy = logits - ops.log(-ops.log(uniform))
        soft = ops.softmax(noisy, axis=-1)[..., 0]
        hard = ops.cast(soft > 0.5, "float32")
        mask = hard + (soft - ops.stop_gradient(soft))
        share = ops.mean(mask, axis=1)
        self.add_loss(RATIO_WEIGHT * ops.mean(ops.square(share - self.keep)))
        return mask

    def compute_output_spec(self, inputs, training=None):
        batch, height, width, _ = inputs.shape
        count = None if height is None or width is None else height * width
        return (
            keras.KerasTensor((batch, height, width, 1), self.compute_dtype),
            keras.KerasTensor((batch, count), "int32"),
            keras.KerasTensor((batch, count), "int32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "keep": self.keep,
            "scores": self.scores,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }


def check_scores(argument, scores):
    """Raises a `ValueError` that names `argument` unless there are such scores of tokens."""
    if scores not in SCORES:
        raise ValueError(f"`{argument}` must be one of {SCORES}. Received: {scores!r}")
