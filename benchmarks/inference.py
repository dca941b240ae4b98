"""Speed of Pale-T's artifacts, beside Swin-T's and the machine's matrix products.

python -m benchmarks.inference             # 15 minutes on two cores
python -m benchmarks.inference --quick     # in 50 seconds: one form, a batch of 8, few times

Every form runs in a process that has all cores. Those for TF Serving and LiteRT also run in a
process on each core, all at once, as a server under load does. Raw results go to
benchmarks/results/inference.json; table and plot of docs/benchmarks.md are made of them. Swin-T
takes part if the extra `peers` is installed.
"""

import os
import pathlib
import shutil
import statistics
import tempfile
import typing

import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, ScalarFormatter

from benchmarks import counts
from benchmarks.peers import FLOPS, has_onnx, has_peers
from benchmarks.reports import parse_flags, publish
from benchmarks.timing import in_words, instruction_sets, interleave, origin, speed
from benchmarks.worker import staff, together
from export.serving.server_files import ENVIRONMENT

SWIN = "Swin-T"  # what the names of its forms begin with
PRODUCT = "matrix product, {}"
BATCHES = (8, 1)


class Form(typing.NamedTuple):
    """A form that is timed: target and arguments of a `Worker`, its batches, its network, what it
    computes in, and whether it is also timed in a process on each core."""

    target: str
    arguments: tuple = ()
    batches: tuple = BATCHES
    network: str = "pale_t"
    precision: str = "float32"
    spread: bool = False


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
    forms = {
        "SavedModel": Form(
            "benchmarks.artifacts:saved_model", (str(folder / "float32"),), spread=not quick
        )
    }
    pale.write_saved_model(network, folder / "float32")
    if not quick:
        pale.write_as_trained(network, folder / "trained")
        forms["as trained"] = Form("benchmarks.artifacts:saved_model", (str(folder / "trained"),))
        for name, kind, precision in (
            ("LiteRT", "float32", "float32"),
            ("LiteRT, dynamic", "dynamic", "int8"),
            ("LiteRT, int8", "int8", "int8"),
        ):
            files = [str(folder / f"{kind}-{batch}.tflite") for batch in BATCHES]
            for file, batch in zip(files, BATCHES, strict=True):
                pale.write_lite(network, file, batch=batch, precision=kind)
            forms[name] = Form(
                "benchmarks.artifacts:lite",
                tuple(files),
                precision=precision,
                spread=name == "LiteRT",
            )
        for precision, ending in precisions().items():
            path = folder / f"openvino-{precision}"
            pale.write_openvino(network, path, BATCHES, precision)
            name = f"OpenVINO{ending}"
            forms[name] = Form("benchmarks.artifacts:openvino", (str(path),), precision=precision)
        if "bfloat16" in precisions():
            pale.write_saved_model(network, folder / "bfloat16", "bfloat16")
            forms["SavedModel, bfloat16"] = Form(
                "benchmarks.artifacts:saved_model",
                (str(folder / "bfloat16"),),
                precision="bfloat16",
            )
    return forms | (swin_forms(quick) if has_peers() else {})


def swin_forms(quick):
    """`Form`s of Swin-T by name."""
    forms = {f"{SWIN}, PyTorch": Form("benchmarks.peers:swin_inference", network="swin_t")}
    if quick:
        return forms
    if shutil.which("g++"):
        compiled = Form("benchmarks.peers:swin_inference", (True,), network="swin_t")
        forms[f"{SWIN}, torch.compile"] = compiled
    if has_onnx():
        forms[f"{SWIN}, ONNX Runtime"] = Form("benchmarks.peers:swin_onnx", network="swin_t")
    for precision, ending in precisions().items():
        forms[f"{SWIN}, OpenVINO{ending}"] = Form(
            "benchmarks.peers:swin_openvino", (precision,), network="swin_t", precision=precision
        )
    return forms


def precisions():
    """Precisions that the processor is fast in, and how the names of such forms end."""
    fast = {"float32": ""}
    if "avx512_bf16" in instruction_sets():
        fast["bfloat16"] = ", bfloat16"
    if {"avx512_vnni", "avx_vnni"} & instruction_sets():
        fast["int8"] = ", int8"
    return fast


def measure(forms, quick):
    """Times the forms in turns.

    Returns:
        Dict of `seconds` of each repetition, by name; of `forms`, by the same names: `form`,
        `batch`, `processes`, `precision`, `macs` of an image; `flops` of the matrix products; and
        where it comes from.
    """
    cores = sorted(os.sched_getaffinity(0))
    batches = (8,) if quick else BATCHES
    runners, about = {}, {}
    with staff() as hire:
        product = hire("benchmarks.peers:matrix_product")
        for dtype in ("float32", "bfloat16"):
            runners[PRODUCT.format(dtype)] = together([product], dtype)
        for name, form in forms.items():
            for placement in [[cores]] + [[[core] for core in cores]] * form.spread:
                workers = [
                    hire(form.target, *form.arguments, cores=part, environment=ENVIRONMENT)
                    for part in placement
                ]
                for batch in sorted({*batches} & {*form.batches}, reverse=True):
                    key = label(name, batch, len(workers))
                    runners[key] = together(workers, batch)
                    about[key] = {"form": name, "batch": batch, "processes": len(workers)}
                    about[key]["macs"] = counts.macs()[form.network]
                    about[key]["precision"] = form.precision
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
        swin = fastest_swin(result, about)
        images = rate(result, key)
        table.append(
            [
                about["form"],
                str(about["batch"]),
                str(about["processes"]),
                f"{images:.1f}",
                f"{2 * about['macs'] * images / peak:.0%}",
                in_words(speed(seconds[key], seconds[swin])) if swin else "",
            ]
        )
    return table


def fastest_swin(result, about):
    """Name of the fastest Swin-T of the same batch, processes and precision; None without any."""
    alike = ("batch", "processes", "precision")
    names = [
        key
        for key, other in result["forms"].items()
        if other["form"].startswith(SWIN) and all(other[name] == about[name] for name in alike)
    ]
    return max(names, key=lambda key: rate(result, key), default=None)


def ordered(result):
    """The forms, grouped by what is comparable: by processes, batch and precision."""

    def group(item):
        about = item[1]
        order = ("float32", "bfloat16", "int8")
        return about["processes"], -about["batch"], order.index(about["precision"])

    return sorted(result["forms"].items(), key=group)


def draw(axis, result):
    """Images a second, a group of dots for each batch and number of processes, on a log scale."""
    groups = {}
    for key, about in ordered(result):
        place = (about["processes"], about["batch"])
        groups.setdefault(place, {})[about["form"]] = rate(result, key)
    names = list(dict.fromkeys(form for group in groups.values() for form in group))
    ours = [name for name in names if not name.startswith(SWIN)]
    order = [*ours, *(name for name in names if name.startswith(SWIN))]
    width = 0.8 / len(order)
    for index, name in enumerate(order):
        color = plt.get_cmap("tab20")(2 * index % 20 + (2 * index // 20))
        marker = "o" if name in ours else "x"
        places = [place for place, group in enumerate(groups.values()) if name in group]
        heights = [group[name] for group in groups.values() if name in group]
        offset = (index - (len(order) - 1) / 2) * width
        axis.plot([p + offset for p in places], heights, marker, color=color, label=name)
    peak = result["flops"] / statistics.median(result["seconds"][PRODUCT.format("float32")])
    allowed = peak / (2 * counts.macs()["pale_t"])
    axis.axhline(allowed, color="black", linestyle=":", linewidth=1, label="float32 product rate")
    texts = [f"batch {batch}, {processes} at once" for processes, batch in groups]
    axis.set_xticks(range(len(groups)), texts)
    axis.set_xlim(-0.5, len(groups) - 0.5)
    axis.set(title="Pale-T and Swin-T at 224×224", ylabel="images a second", yscale="log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.minorticks_off()
    axis.grid(axis="y", alpha=0.3)
    axis.figure.legend(loc="outside lower center", ncols=3, fontsize=9)


if __name__ == "__main__":
    main()
