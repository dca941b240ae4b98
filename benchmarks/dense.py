"""Speed of segmentation: Pale-T and Swin-T with UPerNet, beside UPerNet in PyTorch and OpenVINO.

python -m benchmarks.dense               # a quarter of an hour on two cores
python -m benchmarks.dense --quick       # in 50 seconds: Pale-N at 128×128, few times

One image of 512×512 for 150 classes, on all cores. The peer is `transformers`' UPerNet on Swin-T;
it takes part if the extra `peers` is installed, and in OpenVINO if that is. Raw results go to
benchmarks/results/dense.json; the table of docs/benchmarks.md is made of them.
"""

import importlib.util
import pathlib
import statistics
import tempfile
import typing

from benchmarks.peers import FLOPS, has_peers
from benchmarks.reports import parse_flags, publish
from benchmarks.timing import in_words, interleave, origin, speed
from benchmarks.worker import staff, together
from export.serving.server_files import ENVIRONMENT

NAMES = {"pale_n": "Pale-N", "pale_t": "Pale-T", "swin_t": "Swin-T"}
EAGER = "Swin-T, PyTorch"
PRODUCT = "matrix product"


class Form(typing.NamedTuple):
    """A form that is timed: target and arguments of a `Worker`, and multiply-accumulates."""

    target: str
    arguments: tuple
    macs: int


def main(argv=None):
    flags = parse_flags(__doc__, "dense", argv)
    with tempfile.TemporaryDirectory() as folder:
        if flags.quick:
            forms = make_forms(pathlib.Path(folder), ("pale_n",), 128)
        else:
            forms = make_forms(pathlib.Path(folder), ("pale_t", "swin_t"), 512) | peer_forms(512)
        result = measure(forms, 3 if flags.quick else 5)
    publish("dense", result, rows(result), flags)


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
    forms = {EAGER: Form("benchmarks.peers:upernet_inference", (size,), macs)}
    if importlib.util.find_spec("openvino"):
        forms["Swin-T, OpenVINO"] = Form("benchmarks.peers:upernet_openvino", (size,), macs)
    return forms


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


if __name__ == "__main__":
    main()
