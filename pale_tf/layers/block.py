"""The Pale Transformer block, Wu et al. 2022, section 3.3."""

import keras

from pale_tf.layers.attention import PSAttention
from pale_tf.layers.drop_path import DropPath
from pale_tf.layers.mlp import MLP
from pale_tf.layers.normalization import LAYER_NORM_EPSILON
from pale_tf.layers.position import ConditionalPositionEncoding

# What Swin and CSWin start from; the paper does not say.
KERNEL_INITIALIZER = keras.initializers.TruncatedNormal(stddev=0.02)


def pale_block(x, num_heads, pale_size, mlp_ratio, drop_path_rate, name):
    """Applies one block: `x += CPE(x)`, `x += PSA(LN(x))`, `x += MLP(LN(x))`.

    A function over layers, not a layer: every part is then a layer of the model under a name that
    reads like the paper, such as `stage3_block5_attention`.

    Args:
        x: Keras tensor, `[B, H, W, C]`.
        num_heads: Attention heads over all channels.
        pale_size: Rows and columns of a pale, an integer or a pair.
        mlp_ratio: Hidden width of the MLP over `C`.
        drop_path_rate: Stochastic depth rate of both residual branches.
        name: Prefix of the layer names, such as `"stage3_block5"`.

    Returns:
        Keras tensor, `[B, H, W, C]`.
    """
    x = ConditionalPositionEncoding(name=f"{name}_position")(x)
    attention = PSAttention(
        num_heads,
        pale_size,
        kernel_initializer=KERNEL_INITIALIZER.clone(),
        name=f"{name}_attention",
    )
    x = _residual(x, attention, drop_path_rate, name, 1)
    mlp = MLP(mlp_ratio, kernel_initializer=KERNEL_INITIALIZER.clone(), name=f"{name}_mlp")
    return _residual(x, mlp, drop_path_rate, name, 2)


def _residual(x, layer, drop_path_rate, name, index):
    """`x + DropPath(layer(LN(x)))`."""
    branch = keras.layers.LayerNormalization(
        epsilon=LAYER_NORM_EPSILON, name=f"{name}_norm{index}"
    )(x)
    branch = layer(branch)
    if drop_path_rate > 0.0:
        branch = DropPath(drop_path_rate, name=f"{name}_drop_path{index}")(branch)
    return keras.layers.Add(name=f"{name}_add{index}")([x, branch])
