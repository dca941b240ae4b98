"""Speed of Pale-T's artifacts, beside Swin-T in PyTorch and the machine's matrix products.

python benchmarks/inference.py             # three minutes on two cores
python benchmarks/inference.py --quick     # in 50 seconds: fewer forms, a batch of 8, few times

Raw results go to benchmarks/results/inference.json; the table of docs/benchmarks.md is made
of them. Swin-T takes part if the extra `peers` is installed.
"""

import functools
import pathlib
import statistics
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import peers
from benchmarks.reports import parse_flags, publish
from benchmarks.timing import in_words, instruction_sets, interleave, origin, speed

MACS = 4.203e9  # of an image at 224×224, `python benchmarks/complexity.py --variants tiny`
SWIN = "Swin-T, PyTorch"
PRODUCT = "matrix product, {}"


def main(argv=None):
    flags = parse_flags(__doc__, "inference", argv)
    result = measure((8,) if flags.quick else (8, 1), 5 if flags.quick else 20, flags.quick)
    publish("inference", result, rows(result), flags)


def measure(batches, repetitions, quick=False):
    """Times every form at every batch, all of them interleaved.

    Returns:
        Dict of `seconds` of each repetition, by name; of `forms`, by the same names: `form`,
        `batch`, `macs` of an image; `flops` of the matrix products; and where it comes from.
    """
    from benchmarks import pale

    network = pale.make_network()
    forms = {"SavedModel": pale.saved_model(network)}
    if not quick and "avx512_bf16" in instruction_sets():
        forms["SavedModel, bfloat16"] = pale.saved_model(network, "bfloat16")
    runners, about, flops = {}, {}, {}
    for dtype in ("float32", "bfloat16"):
        runners[PRODUCT.format(dtype)], flops[dtype] = peers.matrix_product(dtype)

    def add(name, batch, run, macs=MACS):
        runners[f"{name}, batch {batch}"] = run
        about[f"{name}, batch {batch}"] = {"form": name, "batch": batch, "macs": macs}

    for batch in batches:
        images = pale.images_of(batch)
        for name, run in forms.items():
            add(name, batch, functools.partial(run, images))
        if not quick:
            add("as trained, TensorFlow", batch, pale.graph(network, batch))
        if batch == 1:
            add("LiteRT", 1, pale.lite(network))
        if peers.has_peers():
            add(SWIN, batch, peers.swin_inference(batch), peers.SWIN_MACS)
    seconds = interleave(runners, repetitions)
    return {
        "seconds": seconds,
        "forms": about,
        "flops": flops,
        **origin(),
    }


def rows(result):
    """Heading and rows of the table."""
    seconds = result["seconds"]
    peak = statistics.median(seconds[PRODUCT.format("float32")]) / result["flops"]["float32"]
    table = [["", "batch", "images/s", "of the product rate", "times Swin-T"]]
    for name, about in result["forms"].items():
        swin = seconds.get(f"{SWIN}, batch {about['batch']}")
        median = statistics.median(seconds[name])
        table.append(
            [
                about["form"],
                str(about["batch"]),
                f"{about['batch'] / median:.1f}",
                f"{2 * about['macs'] * about['batch'] * peak / median:.0%}",
                in_words(speed(seconds[name], swin)) if swin else "",
            ]
        )
    return table


if __name__ == "__main__":
    main()
