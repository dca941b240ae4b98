"""Exports a network for OpenVINO: `python export/openvino.py RUN --out MODELS/NAME`.

Writes the next version of the model NAME as OpenVINO's intermediate representation, and what
OpenVINO Model Server is started with into MODELS.
"""

import argparse
import pathlib
import sys
import tempfile

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, existing_weights, make_folder, positive_int, working_on
from common.errors import ProgramError, SettingError
from common.runtime import import_tensorflow, use_cpu
from export.image_paths import add_images_flag
from export.verification.running import OPENVINO_FILE, OPENVINO_PRECISIONS

# Largest noise in bfloat16 with a fixed batch. OpenVINO 2026.4 then computes attention in some
# small groups wrongly, with 10% or more, and not the same every time. What is right has 1% to 2%.
NOISE = 0.05
BATCH_HINT, FILES_HINT = "--batch any", "another --precision"


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    if flags.files and flags.batch != 1:
        parser.error("argument --batch: must be 1 with --files")
    flags.out = flags.out.resolve()
    make_folder(parser, "--out", flags.out)
    make_folder(parser, "--out", flags.out.parent)  # is there, but perhaps not writable
    use_cpu()  # for exact numbers, and the artifact runs beside this process
    with parser.stopping():
        import_tensorflow()
        version, result = export(**vars(flags))
    from export.verify import print_table

    print_table(result)
    print(summary(version, flags.out, result["task"] if flags.files else None))


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=existing_weights, help="run's folder or .keras file")
    add("--out", metavar="MODELS/NAME", type=pathlib.Path, required=True, help="model's folder")
    add(
        "--precision",
        choices=OPENVINO_PRECISIONS,
        default="float32",
        help="float16: weights in half precision, products in float32; bfloat16: products in "
        "bfloat16, for CPUs with AVX512-BF16 or AMX; int8: weights and activations in 8 bits, for "
        "CPUs with VNNI (default: %(default)s)",
    )
    add(
        "--batch",
        metavar="COUNT|any",
        type=batch_size,
        default=1,
        help="images in a batch; with any number, a batch takes longer (default: %(default)s)",
    )
    add(
        "--files",
        action="store_true",
        help="take image files, one a request, and give what client.py asks for",
    )
    add("--size", type=positive_int, help="images' side in pixels (default: the network's, or any)")
    add_images_flag(parser, "to calibrate int8 and to verify with")
    return parser


def batch_size(text):
    """argparse type: a positive integer, or None for `any`."""
    try:
        return None if text == "any" else positive_int(text)
    except argparse.ArgumentTypeError as error:
        expected = "must be any, or an integer, 1 or more"
        raise argparse.ArgumentTypeError(f"{expected}; got {text!r}") from error


def export(run, out, precision="float32", batch=1, files=False, size=None, images=()):
    """Writes a version and the server's files.

    Args:
        run: Path of a `.keras` file.
        out: Folder of the model, beside those of the server's other models. It is there.
        precision: One of `OPENVINO_PRECISIONS`.
        batch: Images in a batch, or None for any number.
        files: Whether the model takes image files, which its server decodes, instead of arrays.
        size: Height and width of the network's images, in pixels, or None, see `served_size`.
        images: Paths of image files and folders to calibrate and to verify with; empty for those
            of the run, or for patterns.

    Returns:
        Path of the version, and what `verify` says about it.

    Raises:
        ProgramError: If that is not possible, or the version misses a bound. There is no new
            version then.
    """
    from common.trained import load_trained
    from export.intermediate import model_server_files
    from export.intermediate.conversion import convert, describe, write
    from export.intermediate.files import serve_files
    from export.network import fixed_size, inference_network, served_size
    from export.serving import card, versions
    from export.tasks import check_precision, task_of
    from export.verification.samples import calibration_images
    from export.verify import verify

    versions.check_kind(out, OPENVINO_FILE)
    with working_on("loading the network"):
        trained = load_trained(run)
    task = task_of(trained)
    check_precision(trained, task, precision)
    if files and task.file_answer is None:
        raise SettingError(
            "argument --files: leave it out, OpenVINO cannot make the answer of the task "
            f"{trained.recipe['task']} to a file"
        )
    size = served_size(trained, task, size)
    network = inference_network(trained.network, task, size)
    samples = None
    if precision == "int8":
        samples = calibration_images(trained, images, size or fixed_size(trained))
    with working_on("converting" if samples is None else "converting, and calibrating"):
        model = convert(network, task, batch, precision, samples)
    compressed = precision == "float16"
    if files:
        # What it answers has few numbers: those of the network are compared before.
        with tempfile.TemporaryDirectory() as folder:
            write(model, pathlib.Path(folder), compressed)
            check_bounds(verify(pathlib.Path(folder), trained, images), precision, FILES_HINT)
        model = serve_files(model, task, trained)
    with versions.new_version(out) as version:
        write(model, version.path, compressed)
        result = verify(version.path, trained, images)
        check_bounds(result, precision, None if batch is None else BATCH_HINT)
        extra = card.make_extra(version.path, trained, task)
        signatures = {"serve_bytes" if files else "serving_default": describe(model)}
        card.write_card(extra, trained, task, version.path, signatures, result)
    model_server_files.write_model_server_files(out.parent)
    return version.path, result | {"artifact": str(version.path)}


def check_bounds(result, precision, hint):
    """Raises a `ProgramError` if what `verify` found misses a bound.

    Args:
        result: What `verify` returns.
        precision: Of the model.
        hint: What avoids OpenVINO's bug, see `NOISE`; None where it does not strike.
    """
    missed = result["missed"]
    noise = max(report.get("noise") or 0.0 for report in result["signatures"].values())
    if precision == "bfloat16" and hint is not None and noise > NOISE:
        missed = [*missed, f"noise is {noise:.3g}; {hint} avoids a bug of OpenVINO in bfloat16"]
    if missed:
        raise ProgramError(f"the OpenVINO model is wrong: {'; '.join(missed)}")


def summary(version, model, task):
    """Text for the user at the end: files written, and commands to go on with; `task` is that of a
    model of files, or None."""
    from export.intermediate.model_server_files import COMPOSE, CONFIG

    client = f"python export/client.py --model {model.name} --task {task} --batch 1 IMAGE…"
    return "\n".join(
        [
            "",
            f"{version}  version {version.name} of {model.name}; card: assets.extra/model_card.md",
            f"{model.parent}  the server's files: {CONFIG}, {COMPOSE}",
            "",
            "Next:",
            f"  docker compose --file {model.parent / COMPOSE} up",
            *[f"  {client}"] * (task is not None),
        ]
    )


if __name__ == "__main__":
    main()
