"""Attention inside the groups of Pale-T on a GPU: this package's core, beside what may be fused.

KERAS_BACKEND=jax python -m benchmarks.gpu_attention --json gpu_attention.json

For the column groups of each stage at 224×224, in bfloat16: products and softmax with the
transposes around them, and `keras.ops.dot_product_attention`, which takes the map's own order and
may be one fused kernel. Needs keras with what it needs itself, jax and h5py, nothing else.
"""

import pathlib
import statistics

import keras
from keras import ops

from benchmarks.flags import make_parser
from benchmarks.timing import in_words, interleave, origin, speed
from common.cli import positive_int
from common.files import write_json
from pale_tf.configs import NETWORKS
from pale_tf.layers.attention.core import softmax_weights
from pale_tf.sizes import ceil_div

PALE_T = NETWORKS["pale_t"]
SIZE, REPETITIONS = 224, 30


def main(argv=None):
    parser = make_parser("gpu_attention", __doc__)
    parser.add_argument("--batch", type=positive_int, default=128, help="(default: %(default)s)")
    parser.add_argument("--dtype", default="bfloat16", help="(default: %(default)s)")
    parser.add_argument("--json", type=pathlib.Path, help="also write the times to this file")
    flags = parser.parse_args(argv)
    seconds = measure(flags.batch, flags.dtype)
    for name in seconds:
        if name.startswith("written"):
            other = name.replace("written", "fused")
            ratio = in_words(speed(seconds[other], seconds[name]))
            print(f"{name}: {1000 * statistics.median(seconds[name]):.2f} ms; {other}: {ratio}×")
    if flags.json:
        import jax

        about = {"batch": flags.batch, "dtype": flags.dtype, "device": jax.devices()[0].device_kind}
        write_json(flags.json, {"seconds": seconds, **about, **origin()})


def measure(batch, dtype):
    """Seconds of both forms, forward alone and with the gradients, in each stage."""
    import jax

    runners = {}
    for stage in range(4):
        inputs = make_inputs(batch, dtype, stage)
        for form in (written, fused):
            gradient = jax.grad(lambda *x, form=form: ops.sum(form(*x)), (0, 1, 2))
            for mode, function in (("forward", form), ("backward", gradient)):
                run = jax.jit(function)
                runners[f"{form.__name__}, stage {stage + 1}, {mode}"] = (
                    lambda run=run, inputs=inputs: jax.block_until_ready(run(*inputs))
                )
    return interleave(runners, REPETITIONS)


def make_inputs(batch, dtype, stage):
    """Queries, keys and values of column groups as they lie in a map: `[B, H·s, N·heads, D]`."""
    side = SIZE // (4 * 2**stage)
    groups = ceil_div(side, PALE_T.pale_size)
    heads = PALE_T.num_heads[stage] // 2  # of the columns' half
    depth = PALE_T.stage_dims[stage] // PALE_T.num_heads[stage]
    shape = (batch, side * ceil_div(side, groups), groups * heads, depth)
    seeds = keras.random.SeedGenerator(0)
    return [ops.cast(keras.random.normal(shape, seed=seeds), dtype) for _ in range(3)]


def written(query, key, value):
    """Products and softmax of this package, and what brings heads in front of tokens and back."""
    query, key, value = (ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
    outputs = ops.matmul(softmax_weights(query, key, None, value.dtype), value)
    return ops.transpose(outputs, (0, 2, 1, 3))


def fused(query, key, value):
    """Keras' attention: cuDNN's kernel on a GPU, where it takes the shapes."""
    return ops.dot_product_attention(query, key, value, scale=1.0)


if __name__ == "__main__":
    main()
