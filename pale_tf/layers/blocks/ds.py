"""The block of the Dual-stream Network: half of the channels is convolved at full resolution, the
other half attends at a lower one (Mao et al. 2021, DS-Net, section 3)."""

import keras

from pale_tf import names
from pale_tf.layers.alignment import InterScaleAlignment
from pale_tf.layers.blocks.pale import apply_mlp, make_attention, position, residual
from pale_tf.layers.blocks.state import State
from pale_tf.layers.initializers import KERNEL_INITIALIZER
from pale_tf.layers.normalization import LayerNorm
from pale_tf.layers.resizing import ResizeLike

SCALE = 2  # by which the global stream is smaller


def ds_block(state, config, stage, block, drop_path_rate):
    """Applies a block with two streams, in the place of the attention.

    Intra-scale propagation: the local stream is convolved by depth, and the attention of the
    configuration is applied to the global one. Inter-scale alignment: each attends to the other.
    The global stream then gets its size back, and both are mixed. Norms are LayerNorms, where
    DS-Net's are BatchNorms on the local stream. The alignment is of all tokens with all: its time
    and memory grow with the square of the pixels.

    Args:
        state, config, stage, block, drop_path_rate: As in `pale_block`. The heads of the stage must
            divide half of its channels.

    Returns:
        The `State` after.
    """
    name, shared = names.block_prefix(stage + 1, block + 1), dict(state.shared)
    x = position(state.map, config, name)
    half, heads = x.shape[-1] // 2, config.num_heads[stage]
    attend = make_attention(shared, config, stage, block)

    def dense(units, part):
        return keras.layers.Dense(
            units, kernel_initializer=KERNEL_INITIALIZER.clone(), name=f"{name}_{part}"
        )

    def add(a, b, part):
        return keras.layers.Add(name=f"{name}_{part}")([a, b])

    def norm(x, part):
        return LayerNorm(name=f"{name}_{part}")(x)

    def mix(x):
        convolve = keras.layers.DepthwiseConv2D(
            3, padding="same", data_format="channels_last", name=f"{name}_local_conv"
        )
        pool = keras.layers.AveragePooling2D(
            SCALE, padding="same", data_format="channels_last", name=f"{name}_global_pool"
        )
        near, far = dense(half, "local")(x), pool(dense(half, "global")(x))
        near = add(near, convolve(norm(near, "local_norm1")), "local_add1")
        far = add(far, attend(norm(far, "global_norm1")), "global_add1")
        align = InterScaleAlignment(
            heads, kernel_initializer=KERNEL_INITIALIZER.clone(), name=f"{name}_alignment"
        )
        to_near, to_far = align([norm(near, "local_norm2"), norm(far, "global_norm2")])
        near, far = add(near, to_near, "local_add2"), add(far, to_far, "global_add2")
        far = ResizeLike(name=f"{name}_global_resize")([far, near])
        joined = keras.layers.Concatenate(name=f"{name}_join")([near, far])
        return dense(2 * half, "mix")(joined)

    x = residual(x, mix, drop_path_rate, name, 1)
    return State(apply_mlp(x, shared, config, stage, block, drop_path_rate), shared)
