"""Parameters and multiply-accumulates of the networks, counted from the networks.

python -m benchmarks.complexity                       # all networks at 224×224
python -m benchmarks.complexity --size 97 61 --networks pale_t
"""

import math
import pathlib
import re

import tensorflow as tf

from benchmarks.flags import make_parser
from benchmarks.tables import print_table
from benchmarks.timing import origin
from common.files import write_json
from pale_tf import pale_network
from pale_tf.configs import NETWORKS

# Millions of parameters and GMACs at 224x224, as the papers round them: Wu et al. 2022; Liu et al.
# 2021; Dong et al. 2022.
PUBLISHED = {
    "pale_t": (22, 4.2),
    "pale_s": (48, 9.0),
    "pale_b": (85, 15.6),
    "swin_t": (28.3, 4.5),
    "swin_s": (50, 8.7),
    "swin_b": (88, 15.4),
    "cswin_t": (23, 4.3),
    "cswin_s": (35, 6.9),
    "cswin_b": (78, 15.0),
}

PARTS = ("stage1", "stage2", "stage3", "stage4", "head")


def main(argv=None):
    flags = parse_flags(argv)
    rows = [count(network, *flags.size) for network in flags.networks]
    if flags.json:
        write_json(flags.json, {**origin(), "size": flags.size, "networks": rows})
    print_table(lay_out(rows, flags.size), "{}×{}".format(*flags.size))


def parse_flags(argv):
    parser = make_parser("complexity", __doc__)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--size", nargs=2, type=int, default=(224, 224), metavar=("H", "W"))
    parser.add_argument("--json", type=pathlib.Path, help="also write the counts to this file")
    flags = parser.parse_args(argv)
    if min(flags.size) < 1:
        parser.error(f"argument --size: must be positive, got {flags.size}")
    if flags.json and not flags.json.resolve().parent.is_dir():
        parser.error(f"argument --json: there is no folder {flags.json.parent}")
    return flags


def count(network, height, width):
    """Counts one network.

    Returns:
        Dict of the `network`'s name, and of `params` (trainable) and `macs` (of one image), each a
        dict of the parts of the network and the `total`.
    """
    model = pale_network(network, input_shape=(height, width, 3))
    params, macs = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    for weight in model.trainable_weights:
        params[_part(weight.path)] += math.prod(weight.shape)
    image = tf.TensorSpec((1, height, width, 3))
    inference = tf.function(lambda images: model(images, training=False))
    for op in inference.get_concrete_function(image).graph.get_operations():
        macs[_part(op.name)] += multiply_accumulates(op)
    return {
        "network": network,
        "params": {**params, "total": sum(params.values())},
        "macs": {**macs, "total": sum(macs.values())},
    }


def multiply_accumulates(op):
    """Multiply-accumulates of a TensorFlow operation: of convolutions and matrix products."""
    if op.type == "Conv2D":
        kernel_height, kernel_width, channels, _ = op.inputs[1].shape
        return math.prod(op.outputs[0].shape) * kernel_height * kernel_width * channels
    if op.type == "DepthwiseConv2dNative":
        return math.prod(op.outputs[0].shape) * math.prod(op.inputs[1].shape[:2])
    if op.type in ("MatMul", "BatchMatMulV2"):
        transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
        return math.prod(op.outputs[0].shape) * op.inputs[0].shape[-2 if transposed else -1]
    if "Conv" in op.type or "MatMul" in op.type or op.type == "Einsum":
        raise ValueError(f"do not know how to count operation {op.name} of type {op.type}")
    return 0


def lay_out(rows, size):
    """Lays the counts out beside the published figures: headings and rows of a table."""
    table = [["", *PARTS, "total", "published"]]
    for row in rows:
        params, macs = PUBLISHED.get(row["network"], ("-", "-"))
        table += [
            [
                f"{row['network']}  M params",
                *(f"{value / 1e6:.2f}" for value in row["params"].values()),
                str(params),
            ],
            [
                f"{row['network']}  GMACs",
                *(f"{value / 1e9:.3f}" for value in row["macs"].values()),
                str(macs) if tuple(size) == (224, 224) else "-",
            ],
        ]
    return table


def _part(name):
    """The part of the network that a weight or an operation belongs to, by its layer's name."""
    stage = re.search(r"stage\d", name)
    return stage.group() if stage else "head"


if __name__ == "__main__":
    main()
