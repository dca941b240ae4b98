"""Parameters and multiply-accumulates of the variants and of peers, counted from the networks.

python benchmarks/complexity.py                       # all variants at 224x224
python benchmarks/complexity.py --size 97 61 --variants tiny
"""

import argparse
import json
import math
import pathlib
import platform
import re
import sys

import keras
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from pale_tf import pale_network
from pale_tf.configs import ALIASES, resolve_config

NETWORKS = {name: resolve_config(name) for name in (*ALIASES, "swin_t", "cswin_t")}

# Millions of parameters and GMACs at 224x224, as the papers round them: Wu et al. 2022; Liu et al.
# 2021; Dong et al. 2022.
PUBLISHED = {
    "tiny": (22, 4.2),
    "small": (48, 9.0),
    "base": (85, 15.6),
    "swin_t": (28.3, 4.5),
    "cswin_t": (23, 4.3),
}

PARTS = ("stage1", "stage2", "stage3", "stage4", "head")


def main(argv=None):
    flags = parse_flags(argv)
    rows = [count(variant, *flags.size) for variant in flags.variants]
    if flags.json:
        result = {
            "command": ["python", *sys.argv],
            "versions": {
                "python": platform.python_version(),
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            },
            "machine": platform.platform(),
            "size": flags.size,
            "variants": rows,
        }
        flags.json.write_text(json.dumps(result, indent=2) + "\n")
    Console(width=120).print(make_table(rows, flags.size))


def parse_flags(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--variants", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--size", nargs=2, type=int, default=(224, 224), metavar=("H", "W"))
    parser.add_argument("--json", type=pathlib.Path, help="also write the counts to this file")
    flags = parser.parse_args(argv)
    if min(flags.size) < 1:
        parser.error(f"argument --size: must be positive, got {flags.size}")
    if flags.json and not flags.json.resolve().parent.is_dir():
        parser.error(f"argument --json: there is no folder {flags.json.parent}")
    return flags


def count(variant, height, width):
    """Counts one variant.

    Returns:
        Dict of the variant's name, and of `params` (trainable) and `macs` (of one image), each a
        dict of the parts of the network and the `total`.
    """
    model = pale_network(NETWORKS[variant], input_shape=(height, width, 3))
    params, macs = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    for weight in model.trainable_weights:
        params[_part(weight.path)] += math.prod(weight.shape)
    image = tf.TensorSpec((1, height, width, 3))
    inference = tf.function(lambda images: model(images, training=False))
    for op in inference.get_concrete_function(image).graph.get_operations():
        macs[_part(op.name)] += multiply_accumulates(op)
    return {
        "variant": variant,
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


def make_table(rows, size):
    """Lays the counts out beside the published figures."""
    table = Table(title=f"Pale Transformers at {size[0]}x{size[1]}")
    table.add_column("")
    for column in (*PARTS, "total", "published"):
        table.add_column(column, justify="right")
    for row in rows:
        params, macs = PUBLISHED.get(row["variant"], (None, None))
        name = NETWORKS[row["variant"]].name
        table.add_row(
            f"{name}  M params",
            *(f"{value / 1e6:.2f}" for value in row["params"].values()),
            f"{params}" if params else "-",
        )
        table.add_row(
            f"{name}  GMACs",
            *(f"{value / 1e9:.3f}" for value in row["macs"].values()),
            f"{macs}" if macs and tuple(size) == (224, 224) else "-",
            end_section=True,
        )
    return table


def _part(name):
    """The part of the network that a weight or an operation belongs to, by its layer's name."""
    stage = re.search(r"stage\d", name)
    return stage.group() if stage else "head"


if __name__ == "__main__":
    main()
