"""The small networks that benchmarks/attentions.py compares: one shape, any attention."""

import keras

from pale_tf import PaleConfig, pale_backbone
from pale_tf.layers.normalization import LayerNorm

# Options that suit maps of 16×16 and less; an attention's own suit 56×56.
SMALL = {
    "window": {"window_size": 4},
    "shifted_window": {"window_size": 4},
    "shuffled_window": {"window_size": 4},
    "messenger": tuple({"window_size": 4, "region_size": size} for size in (4, 2, 1, 1)),
    "cross_shaped": tuple({"stripe_width": width} for width in (1, 2, 2, 2)),
    "axial": {"span": 16},
    "spatial_reduction": tuple({"reduction": size} for size in (2, 1, 1, 1)),
    "deformable": tuple({"stride": size} for size in (2, 1, 1, 1)),
}


def small_config(attention, depths, embed_dim):
    """A configuration for small maps; a pale of a 16×16 map has 60 tokens."""
    return PaleConfig(
        f"small_{attention}",
        embed_dim,
        depths,
        (2, 4, 8, 16),
        pale_size=2,
        attention=attention,
        attention_options=SMALL.get(attention, {}),
    )


def digits_config(attention):
    """Four stages, 16 to 128 channels: maps of 8×8 to 1×1 for 32×32 images."""
    return small_config(attention, (1, 1, 2, 1), embed_dim=16)


def long_range_config(attention):
    """A first stage of one block, 32 channels: a map of 16×16 for 64×64 images."""
    return small_config(attention, (1, 1, 1, 1), embed_dim=32)


def first_stage_network(recipe, source):
    """Builds a classifier that sees the first stage alone.

    Args:
        recipe: A `training.recipe.Recipe` whose `model` is a `PaleConfig`.
        source: The `training.data.sources.Source` of the images.

    Returns:
        A `keras.Model` from images `[B, H, W, 3]`, values in 0..255, to probabilities
        `[B, classes]`.
    """
    backbone = pale_backbone(recipe.model, input_shape=(recipe.image_size, recipe.image_size, 3))
    x = LayerNorm(name="head_norm")(backbone.output["P2"])
    x = keras.layers.GlobalAveragePooling2D("channels_last", name="head_pool")(x)
    x = keras.layers.Dense(len(source.labels), activation="softmax", name="head_scores")(x)
    return keras.Model(backbone.input, x)
