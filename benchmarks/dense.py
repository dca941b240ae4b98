"""Speed of segmentation and detection, and of a detector part by part.

python -m benchmarks.dense                 # a quarter of an hour on two cores
python -m benchmarks.dense --task detect   # twelve minutes, beside other load
python -m benchmarks.dense --quick         # in 50 seconds: Pale-N at 128×128, few times

Segmentation is that of one image of 512×512 for 150 classes by Pale-T and Swin-T with UPerNet, on
all cores. The peer is `transformers`' UPerNet on Swin-T; it takes part if the extra `peers` is
installed, and in OpenVINO if that is.

Detection is that of one image of 640×640 for 80 classes by Pale-T with Mask R-CNN. All parts are
timed in turns in one process, each on what the parts before it have given, and then traced. A
training step on one image of 800×1280 follows, in a process of its own.

Raw results go to benchmarks/results/dense.json and dense_detect.json; the tables of
docs/benchmarks.md are made of them.
"""

import json
import pathlib
import re
import statistics
import sys
import tempfile
import typing

from benchmarks.peers import FLOPS, has_peers
from benchmarks.reports import parse_flags, publish
from benchmarks.timing import in_words, interleave, origin, peak_of, run_apart, speed
from benchmarks.worker import staff, together
from export.serving.server_files import ENVIRONMENT

NAMES = {"pale_n": "Pale-N", "pale_t": "Pale-T", "swin_t": "Swin-T"}
EAGER = "Swin-T, PyTorch"
PRODUCT = "matrix product"
PRODUCTS = "MatMul|Conv"  # in the names of operations
TRAINING = "--training"  # what `run_apart` asks this program for


class Form(typing.NamedTuple):
    """A form that is timed: target and arguments of a `Worker`, and multiply-accumulates."""

    target: str
    arguments: tuple
    macs: int


def main(argv=None):
    flags = parse_flags(__doc__, "dense", argv, tuple(TASKS))
    TASKS[flags.task](flags)


def segment(flags):
    with tempfile.TemporaryDirectory() as folder:
        if flags.quick:
            forms = make_forms(pathlib.Path(folder), ("pale_n",), 128)
        else:
            forms = make_forms(pathlib.Path(folder), ("pale_t", "swin_t"), 512) | peer_forms(512)
        result = measure(forms, 3 if flags.quick else 5)
    publish(flags.name, result, rows(result), flags)


def detect(flags):
    from benchmarks.detector_parts import make_parts

    if flags.quick:
        network, size, masks, sides, repetitions = "pale_n", 128, 5, (96, 128), 2
    else:
        network, size, masks, sides, repetitions = "pale_t", 640, 100, (800, 1280), 7
    result = measure_parts(make_parts(network, size, masks), repetitions)
    training = run_apart("dense", TRAINING, network, *sides)
    result = {"network": network, "size": size, **result, "training": training, **origin()}
    publish(flags.name, result, part_rows(result), flags)


def make_forms(folder, networks, size):
    """Writes networks with UPerNet in every form; returns the `Form`s by name."""
    from benchmarks import pale
    from benchmarks.complexity import macs_by_part
    from benchmarks.segmenters import make_segmenter
    from export.tasks import Task

    task, forms = Task(outputs=lambda network: {"logits": network.output}), {}
    for name in networks:
        network = pale.disturb(make_segmenter(name, size, size))
        macs, path = macs_by_part(network)["total"], str(folder / name)
        pale.write_saved_model(network, path, task=task)
        pale.write_lite(network, f"{path}.tflite", task)
        forms[f"{NAMES[name]}, SavedModel"] = Form(
            "benchmarks.artifacts:saved_model", (path,), macs
        )
        forms[f"{NAMES[name]}, LiteRT"] = Form(
            "benchmarks.artifacts:lite", (f"{path}.tflite",), macs
        )
    return forms


def peer_forms(size):
    """The `Form`s of what is installed of the peers."""
    from benchmarks.complexity import count_segmenter

    if not has_peers():
        return {}
    macs = count_segmenter("swin_t", size, size)["padded"]  # what its code computes
    return {
        EAGER: Form("benchmarks.peers:upernet_inference", (size,), macs),
        "Swin-T, OpenVINO": Form("benchmarks.peers:upernet_openvino", (size,), macs),
    }


def measure(forms, repetitions):
    """Times the forms in turns, a process for each.

    Returns:
        Dict of `seconds` of each repetition, by name; of `macs` of an image, by the same names;
        `flops` of the matrix product; and where it comes from.
    """
    with staff() as hire:
        runners = {PRODUCT: together([hire("benchmarks.peers:matrix_product")], "float32")}
        for name, form in forms.items():
            worker = hire(form.target, *form.arguments, environment=ENVIRONMENT)
            runners[name] = together([worker], 1)
        seconds = interleave(runners, repetitions)
    macs = {name: form.macs for name, form in forms.items()}
    return {"seconds": seconds, "macs": macs, "flops": FLOPS, **origin()}


def rows(result):
    """Heading and rows of the table."""
    seconds = result["seconds"]
    peak = result["flops"] / statistics.median(seconds[PRODUCT])
    table = [["", "ms", "GMACs", "of the product rate", "times PyTorch"]]
    for name, macs in result["macs"].items():
        median = statistics.median(seconds[name])
        ratio = in_words(speed(seconds[name], seconds[EAGER])) if EAGER in seconds else ""
        share = f"{2 * macs / median / peak:.0%}"
        table.append([name, f"{1000 * median:.0f}", f"{macs / 1e9:.1f}", share, ratio])
    return table


def measure_parts(parts, repetitions):
    """Times functions in turns and traces each.

    Args:
        parts: Dict of functions without arguments, by name.
        repetitions: How often each is timed.

    Returns:
        Dict of `seconds` of each repetition, by name; and of `operations`, by the same names: their
        milliseconds in the trace.
    """
    from benchmarks.operations import trace_function

    seconds, operations = interleave(parts, repetitions), {}
    for name, run in parts.items():
        with tempfile.TemporaryDirectory() as folder:
            _, times = trace_function(run, folder)
        operations[name] = {operation: value for operation, (_, value) in times.items()}
    return {"seconds": seconds, "operations": operations}


def part_rows(result):
    """Heading and rows of the table of parts, the whole network last. Convolutions are products."""
    medians = {name: statistics.median(value) for name, value in result["seconds"].items()}
    *parts, whole = medians
    total = sum(medians[name] for name in parts)
    table = [["", "ms", "share", "of it, products"]]
    for name in (*parts, whole):
        times = result["operations"][name]
        products = sum(value for key, value in times.items() if re.search(PRODUCTS, key))
        share = f"{medians[name] / total:.1%}" if name != whole else ""
        products = f"{products / sum(times.values()):.0%}"
        table.append([name, f"{1000 * medians[name]:.0f}", share, products])
    return table


def measure_training(network, height, width):
    """Bytes and seconds of a training step on one image; its `height` and `width`."""
    from benchmarks.training_step import make_detector_step

    step = make_detector_step(network, int(height), int(width))
    return {"height": int(height), "width": int(width), **peak_of(step, repetitions=3)}


TASKS = {"segment": segment, "detect": detect}

if __name__ == "__main__":
    if sys.argv[1:2] == [TRAINING]:
        print(json.dumps(measure_training(*sys.argv[2:])))
    else:
        main()
