"""Speed of a training step of Pale-T, beside Swin-T in PyTorch.

python -m benchmarks.training              # six minutes on two cores, four of them compiling
python -m benchmarks.training --quick      # in 50 seconds: Pale-N, few times

A step is forward, backward and AdamW on a batch of 8 in float32, without augmentation, as
training/fit.py does it; once more with memory as glibc hands it out by itself; and once more on
Keras' PyTorch backend. Each is in a process of its own. Raw results go to
benchmarks/results/training.json; the table of docs/benchmarks.md is made of them. Peers take part
if the extra `peers` is installed.
"""

import shutil
import statistics

from benchmarks import counts
from benchmarks.peers import FLOPS, has_peers
from benchmarks.reports import parse_flags, publish
from benchmarks.timing import in_words, interleave, origin, speed
from benchmarks.worker import staff, together
from common.runtime import TUNABLES

BATCH = 8
KEPT, DEFAULT = {"GLIBC_TUNABLES": TUNABLES}, {"GLIBC_TUNABLES": ""}
SWIN, COMPILED = "Swin-T, PyTorch", "Swin-T, torch.compile"
PRODUCT = "matrix product, float32"


def main(argv=None):
    flags = parse_flags(__doc__, "training", argv)
    result = measure("pale_n" if flags.quick else "pale_t", flags.quick)
    publish("training", result, rows(result), flags)


def measure(network, quick):
    """Times a step of a network and of Swin-T, in turns; if `quick`, few times and fewer forms.

    Returns:
        Dict of `seconds` of each repetition, by name; `macs` of an image's inference; `flops` of
        the matrix product; and where it comes from.
    """
    memories = {network: KEPT, f"{network}, memory by default": DEFAULT}
    macs = dict.fromkeys(memories, counts.macs()[network])
    with staff() as hire:
        runners = {
            name: together(
                [hire("benchmarks.training_step:make_step", network, BATCH, environment=memory)]
            )
            for name, memory in memories.items()
        }
        runners[PRODUCT] = together([hire("benchmarks.peers:matrix_product")], "float32")
        if has_peers():
            runners[SWIN] = together([hire("benchmarks.peers:swin_training", BATCH)])
            macs[SWIN] = counts.macs()["swin_t"]
        if has_peers() and not quick:
            name, step = f"{network}, PyTorch", ("benchmarks.torch_step:make_step", network, BATCH)
            runners[name] = together([hire(*step, environment={"KERAS_BACKEND": "torch"})])
            macs[name] = counts.macs()[network]
        if has_peers() and not quick and shutil.which("g++"):
            runners[COMPILED] = together([hire("benchmarks.peers:swin_training", BATCH, True)])
            macs[COMPILED] = counts.macs()["swin_t"]
        seconds = interleave(runners, 5 if quick else 15)
    return {"seconds": seconds, "batch": BATCH, "macs": macs, "flops": FLOPS, **origin()}


def rows(result):
    """Heading and rows of the table. A step is counted as three times the inference."""
    seconds = result["seconds"]
    peak = result["flops"] / statistics.median(seconds[PRODUCT])
    table = [["", "images/s", "of the product rate", "times Swin-T"]]
    for name, macs in result["macs"].items():
        rate = result["batch"] / statistics.median(seconds[name])
        ratio = in_words(speed(seconds[name], seconds[SWIN])) if SWIN in seconds else ""
        table.append([name, f"{rate:.2f}", f"{6 * macs * rate / peak:.0%}", ratio])
    return table


if __name__ == "__main__":
    main()
