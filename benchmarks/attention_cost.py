"""Cost of Pale-T with one attention at one size: called in a process of its own.

python -m benchmarks.attention_cost ATTENTION SIZE      # prints a line of JSON
"""

import json
import math
import statistics
import sys

import numpy as np
import tensorflow as tf

from benchmarks.timing import peak_of
from common.complexity import multiply_accumulates
from pale_tf import PaleT, visualize
from pale_tf.layers.attention import Place, make_attention

REPETITIONS = 5
MEMORY = 20 * 2**30  # scores that need more than this are not computed


def measure(attention, size):
    """Counts and times Pale-T with an attention.

    Returns:
        Dict of parameters, multiply-accumulates, `seconds` for one image (every repetition),
        `bytes` by which running it raised the peak of resident memory over what was held before,
        and the share of the second stage's map that one token depends on after one attention.
        Seconds and bytes are None where the tensors of scores would not fit.
    """
    model = PaleT(input_shape=(size, size, 3), attention=attention, drop_path_rate=0.0)
    run = tf.function(lambda images: model(images, training=False))
    graph = run.get_concrete_function(tf.TensorSpec((1, size, size, 3))).graph
    operations = graph.get_operations()
    largest = max(
        4 * math.prod(output.shape)
        for op in operations
        if op.type == "BatchMatMulV2"
        for output in op.outputs
    )
    result = {
        "attention": attention,
        "size": size,
        "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
        "macs": sum(map(multiply_accumulates, operations)),
        "region": None,
        "largest_tensor": largest,
        "seconds": None,
        "bytes": None,
    }
    if 3 * largest <= MEMORY:  # the scores, their softmax and a copy
        result |= run_costs(run, size)
    if size == 224:  # once, and last, for it takes memory too
        result["region"] = region_share(attention)
    return result


def run_costs(run, size):
    """Memory and seconds of a function of one image."""
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)), "float32")
    costs = peak_of(lambda: run(image).numpy(), REPETITIONS)
    return costs | {"median_seconds": statistics.median(costs["seconds"])}


def region_share(attention):
    """Share of a 28×28 map on which the middle token depends, in the block that sees more."""
    shares = []
    for block in (0, 1):
        layer = make_attention(attention, Place(1, block), 4, projection="linear")
        shares.append(float(visualize.region(layer, (28, 28), (14, 14)).mean()))
    return max(shares)


if __name__ == "__main__":
    tf.config.set_visible_devices([], "GPU")
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
