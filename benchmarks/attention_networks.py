"""The networks that benchmarks/attentions.py compares: one shape, any attention."""

import keras

from pale_tf import PaleConfig, pale_backbone, pale_network
from pale_tf.layers.normalization import LayerNorm

# What suits maps of 16×16 and less: other than the attention's own, which suits 56×56.
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


def small_config(attention, depths=(1, 1, 2, 1), embed_dim=16):
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


def digits_network(attention):
    """Four stages, 16 to 128 channels, for 32×32 images: 8×8 to 1×1 maps."""
    config = small_config(attention)
    return pale_network(config, input_shape=(32, 32, 3), classes=10, classifier_activation=None)


def long_range_network(attention):
    """One block on a 16×16 map, 32 channels, for 64×64 images."""
    config = small_config(attention, (1, 1, 1, 1), embed_dim=32)
    backbone = pale_backbone(config, input_shape=(64, 64, 3))
    x = LayerNorm()(backbone.output["P2"])
    x = keras.layers.GlobalAveragePooling2D("channels_last")(x)
    return keras.Model(backbone.input, keras.layers.Dense(3)(x))


NETWORKS = {
    "digits": digits_network,
    "long_range": long_range_network,
}
