"""Parameters and multiply-accumulates of the networks, counted from the networks.

python -m benchmarks.complexity                       # all networks at 224×224
python -m benchmarks.complexity --size 97 61 --networks pale_t
python -m benchmarks.complexity --task segment        # with UPerNet, at 512×2048: three minutes
python -m benchmarks.complexity --task detect         # with Mask R-CNN, at 800×1280: four minutes
"""

import math
import pathlib
import re
import typing

import keras

from benchmarks.detectors import make_detector
from benchmarks.flags import make_parser
from benchmarks.segmenters import make_segmenter
from benchmarks.tables import print_table
from benchmarks.timing import origin
from common.complexity import macs_of, multiply_accumulates, trace
from common.files import write_json
from pale_tf import pale_network
from pale_tf.configs import NETWORKS
from pale_tf.layers.attention import PSAttention, WindowAttention
from pale_tf.sizes import ceil_div

# Millions of parameters and GMACs at 224x224, as the papers round them: Wu et al. 2022 (Pale); Liu
# et al. 2021; Dong et al. 2022; Wu et al. 2021 (CvT).
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
    "cvt_13": (20, 4.5),
}

# GMACs with UPerNet at 512x2048, from the same papers.
PUBLISHED_UPERNET = {
    "pale_t": 996,
    "pale_s": 1135,
    "pale_b": 1311,
    "swin_t": 945,
    "swin_s": 1038,
    "swin_b": 1188,
    "cswin_t": 959,
    "cswin_s": 1027,
    "cswin_b": 1222,
}

# GMACs with Mask R-CNN at 800x1280, from the same papers.
PUBLISHED_MASK_RCNN = {
    "pale_t": 306,
    "pale_s": 432,
    "pale_b": 595,
    "swin_t": 264,
    "swin_s": 354,
    "swin_b": 496,
    "cswin_t": 279,
    "cswin_s": 342,
    "cswin_b": 526,
}

PARTS = ("stage1", "stage2", "stage3", "stage4", "head")

# Attentions whose published code pads the maps before it projects them, and what it pads them to
# multiples of. CSWin's code pads queries, keys and values, as this package does.
PADDED_TO = {PSAttention: "pale_size", WindowAttention: "window_size"}


class Task(typing.NamedTuple):
    """A kind of networks to count: a function of network, height and width; one of rows and size
    that lays a table out; and the default size."""

    count: typing.Callable
    lay_out: typing.Callable
    size: tuple


def main(argv=None):
    flags = parse_flags(argv)
    task = TASKS[flags.task]
    rows = [task.count(network, *flags.size) for network in flags.networks]
    if flags.json:
        write_json(flags.json, {**origin(), "size": flags.size, "networks": rows})
    print_table(task.lay_out(rows, flags.size), "{}×{}".format(*flags.size))


def parse_flags(argv):
    parser = make_parser("complexity", __doc__)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS)
    parser.add_argument("--task", choices=TASKS, default="classify", help="(default: %(default)s)")
    parser.add_argument("--size", nargs=2, type=int, metavar=("H", "W"))
    parser.add_argument("--json", type=pathlib.Path, help="also write the counts to this file")
    flags = parser.parse_args(argv)
    flags.size = flags.size or TASKS[flags.task].size
    flags.networks = flags.networks or [
        name for name in NETWORKS if flags.task == "classify" or len(NETWORKS[name].depths) == 4
    ]
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
    return {"network": network, "params": parameters(model), "macs": macs_by_part(model)}


def count_segmenter(network, height, width):
    """Counts one network with UPerNet.

    Returns:
        Dict of what `count` gives, and of the multiply-accumulates of the same network counted
        otherwise: `plain`, with the last convolution of the head done as it is written, and
        `padded`, with that and with every attention on maps that are padded as published code does.
        The auxiliary head, which is for training, has parameters and no multiply-accumulates.
    """
    model = make_segmenter(network, height, width, auxiliary=True)
    macs = macs_by_part(keras.Model(model.input, model.output["main"]))
    last = model.get_layer("fpn_bottleneck")
    plain = macs["total"] - macs_of(last, [tuple(x.shape[1:]) for x in last.input])
    plain += math.prod(last.kernel.shape) * math.prod(last.output.shape[1:3])
    return {
        "network": network,
        "params": parameters(model),
        "macs": macs,
        "plain": plain,
        "padded": plain + sum(map(padding_of, model.layers)),
    }


def count_detector(network, height, width):
    """Counts one network with Mask R-CNN.

    Returns:
        Dict of what `count` gives, and of `padded`, the multiply-accumulates with every attention
        on maps that are padded as published code does.
    """
    model = make_detector(network, height, width)
    macs = macs_by_part(model)
    return {
        "network": network,
        "params": parameters(model),
        "macs": macs,
        "padded": macs["total"] + sum(map(padding_of, model.layers)),
    }


def parameters(model):
    """Trainable parameters of the parts of a model, and their `total`."""
    return by_part((weight.path, math.prod(weight.shape)) for weight in model.trainable_weights)


def macs_by_part(model):
    """Multiply-accumulates of the parts of a model for one image, and their `total`."""
    operations = trace(lambda image: model(image, training=False), model.input.shape[1:])
    return by_part((op.name, multiply_accumulates(op)) for op in operations)


def by_part(numbers):
    """Sums of pairs of the name of a weight or an operation and a number: those of each part of a
    model, which the layers' names say, and the `total`. Only a segmenter has an auxiliary part."""
    sums = dict.fromkeys(PARTS, 0)
    for name, number in numbers:
        found = re.search(r"stage\d|auxiliary", name)
        part = found.group() if found else "head"
        sums[part] = sums.get(part, 0) + number
    return {**sums, "total": sum(sums.values())}


def padding_of(layer):
    """Multiply-accumulates that a layer would have more of if its map was padded as published."""
    if type(layer) not in PADDED_TO:
        return 0
    unit = getattr(layer, PADDED_TO[type(layer)])
    *size, channels = layer.input.shape[1:]
    padded = (*(ceil_div(length, unit) * unit for length in size), channels)
    return macs_of(layer, padded) - macs_of(layer, (*size, channels))


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


def lay_out_segmenters(rows, size):
    """Lays the counts of segmenters out: headings and a row for each."""
    headings = ["M params", "of the auxiliary head", "GMACs", "of the head"]
    table = [["", *headings, "plain convolution", "and padded maps", "published"]]
    for row in rows:
        params, macs = row["params"], row["macs"]
        published = PUBLISHED_UPERNET.get(row["network"]) if tuple(size) == (512, 2048) else None
        millions = [params["total"], params["auxiliary"]]
        billions = [macs["total"], macs["head"], row["plain"], row["padded"]]
        table.append(
            [
                row["network"],
                *(f"{value / 1e6:.2f}" for value in millions),
                *(f"{value / 1e9:.1f}" for value in billions),
                str(published or "-"),
            ]
        )
    return table


def lay_out_detectors(rows, size):
    """Lays the counts of detectors out: headings and a row for each."""
    headings = ["M params", "of neck and heads", "GMACs", "of neck and heads"]
    table = [["", *headings, "on padded maps", "published"]]
    for row in rows:
        published = PUBLISHED_MASK_RCNN.get(row["network"]) if tuple(size) == (800, 1280) else None
        table.append(
            [
                row["network"],
                *(f"{row['params'][part] / 1e6:.2f}" for part in ("total", "head")),
                *(f"{row['macs'][part] / 1e9:.1f}" for part in ("total", "head")),
                f"{row['padded'] / 1e9:.1f}",
                str(published or "-"),
            ]
        )
    return table


TASKS = {
    "classify": Task(count, lay_out, (224, 224)),
    "segment": Task(count_segmenter, lay_out_segmenters, (512, 2048)),
    "detect": Task(count_detector, lay_out_detectors, (800, 1280)),
}


if __name__ == "__main__":
    main()
