"""Speed of Pale-T's artifacts, beside Swin-T in PyTorch and the machine's matrix products.

python -m benchmarks.inference             # six minutes on two cores
python -m benchmarks.inference --quick     # in 50 seconds: one form, a batch of 8, few times

Every form runs in a process that has all cores, and then in a process on each core, all at once, as
a server under load does. Raw results go to benchmarks/results/inference.json; table and plot of
docs/benchmarks.md are made of them. Swin-T takes part if the extra `peers` is installed.
"""

import os
import pathlib
import statistics
import tempfile
import typing

from benchmarks import counts
from benchmarks.peers import FLOPS, has_peers
from benchmarks.reports import parse_flags, publish
from benchmarks.timing import in_words, instruction_sets, interleave, origin, speed
from benchmarks.worker import staff, together
from export.serving.server_files import ENVIRONMENT

SWIN = "Swin-T, PyTorch"
PRODUCT = "matrix product, {}"


class Form(typing.NamedTuple):
    """A form that is timed: target and arguments of a `Worker`, its batches, and its network."""

    target: str
    arguments: tuple = ()
    batches: tuple = (8, 1)
    network: str = "pale_t"


def main(argv=None):
    flags = parse_flags(__doc__, "inference", argv)
    with tempfile.TemporaryDirectory() as folder:
        forms = make_forms(pathlib.Path(folder), flags.quick)
        result = measure(forms, flags.quick)
    publish("inference", result, rows(result), flags, lambda axis: draw(axis, result))


def make_forms(folder, quick):
    """Writes Pale-T in every form; returns the `Form`s by name."""
    from benchmarks import pale

    network = pale.make_network()
    forms = {"SavedModel": Form("benchmarks.artifacts:saved_model", (str(folder / "float32"),))}
    pale.write_saved_model(network, folder / "float32")
    if not quick:
        if "avx512_bf16" in instruction_sets():
            pale.write_saved_model(network, folder / "bfloat16", "bfloat16")
            bfloat16 = Form("benchmarks.artifacts:saved_model", (str(folder / "bfloat16"),))
            forms["SavedModel, bfloat16"] = bfloat16
        pale.write_as_trained(network, folder / "trained")
        forms["as trained"] = Form("benchmarks.artifacts:saved_model", (str(folder / "trained"),))
        pale.write_lite(network, folder / "model.tflite")
        forms["LiteRT"] = Form("benchmarks.artifacts:lite", (str(folder / "model.tflite"),), (1,))
    if has_peers():
        forms[SWIN] = Form("benchmarks.peers:swin_inference", network="swin_t")
    return forms


def measure(forms, quick):
    """Times the forms in turns.

    Returns:
        Dict of `seconds` of each repetition, by name; of `forms`, by the same names: `form`,
        `batch`, `processes`, `macs` of an image; `flops` of the matrix products; and where it
        comes from.
    """
    cores = sorted(os.sched_getaffinity(0))
    placements = [[cores]] if quick else [[cores], [[core] for core in cores]]
    batches = (8,) if quick else (8, 1)
    runners, about = {}, {}
    with staff() as hire:
        product = hire("benchmarks.peers:matrix_product")
        for dtype in ("float32", "bfloat16"):
            runners[PRODUCT.format(dtype)] = together([product], dtype)
        for name, form in forms.items():
            for placement in placements:
                workers = [
                    hire(form.target, *form.arguments, cores=part, environment=ENVIRONMENT)
                    for part in placement
                ]
                for batch in sorted({*batches} & {*form.batches}, reverse=True):
                    key = label(name, batch, len(workers))
                    runners[key] = together(workers, batch)
                    about[key] = {"form": name, "batch": batch, "processes": len(workers)}
                    about[key]["macs"] = counts.macs()[form.network]
        seconds = interleave(runners, 5 if quick else 20)
    return {"seconds": seconds, "forms": about, "flops": FLOPS, **origin()}


def label(form, batch, processes):
    return f"{form}, batch {batch}, {processes} at once"


def rate(result, key):
    """Images a second of a form."""
    about = result["forms"][key]
    return about["processes"] * about["batch"] / statistics.median(result["seconds"][key])


def rows(result):
    """Heading and rows of the table."""
    seconds = result["seconds"]
    peak = result["flops"] / statistics.median(seconds[PRODUCT.format("float32")])
    table = [["", "batch", "at once", "images/s", "of the product rate", "times Swin-T"]]
    for key, about in ordered(result):
        swin = seconds.get(label(SWIN, about["batch"], about["processes"]))
        images = rate(result, key)
        table.append(
            [
                about["form"],
                str(about["batch"]),
                str(about["processes"]),
                f"{images:.1f}",
                f"{2 * about['macs'] * images / peak:.0%}",
                in_words(speed(seconds[key], swin)) if swin else "",
            ]
        )
    return table


def ordered(result):
    """The forms, grouped by what is comparable: by processes and batch."""
    return sorted(
        result["forms"].items(), key=lambda item: (item[1]["processes"], -item[1]["batch"])
    )


def draw(axis, result):
    """Images a second, in bars; and what the product rate would allow."""
    groups = {}
    for key, about in ordered(result):
        place = (about["processes"], about["batch"])
        groups.setdefault(place, []).append((about["form"], rate(result, key)))
    names = list(dict.fromkeys(form for bars in groups.values() for form, _ in bars))
    colors = dict(zip(names, ("#d9480f", "#f08c00", "#868e96", "#2f9e44", "#1c5d99"), strict=False))
    for place, bars in enumerate(groups.values()):
        for index, (form, height) in enumerate(bars):
            x = place + (index - (len(bars) - 1) / 2) * 0.17
            axis.bar(x, height, 0.16, color=colors[form])
            axis.annotate(f"{height:.0f}", (x, height), ha="center", va="bottom", fontsize=8)
    peak = result["flops"] / statistics.median(result["seconds"][PRODUCT.format("float32")])
    line = axis.axhline(
        peak / (2 * counts.macs()["pale_t"]), color="black", linestyle=":", linewidth=1
    )
    texts = [f"batch {batch}, {processes} at once" for processes, batch in groups]
    axis.set_xticks(range(len(groups)), texts)
    axis.set(title="Pale-T and Swin-T at 224×224", ylabel="images a second")
    handles = [axis.bar(0, 0, color=colors[name]) for name in names]
    names.append("float32 product rate")
    axis.figure.legend([*handles, line], names, loc="outside lower center", ncols=3, fontsize=9)


if __name__ == "__main__":
    main()
