"""Exports a network for LiteRT: `python export/tflite.py RUN --out FILE.tflite`."""

import pathlib
import sys
import tempfile

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, existing_weights, make_folder, positive_int, working_on
from common.errors import ProgramError
from common.locks import locked
from common.runtime import import_tensorflow, use_cpu
from export.image_paths import add_images_flag

PRECISIONS = ("float32", "float16", "dynamic", "int8")


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    if flags.out.suffix != ".tflite":
        parser.error(f"argument --out: must end in .tflite; got {flags.out}")
    make_folder(parser, "--out", flags.out.parent)
    use_cpu()  # for exact numbers, and the artifact runs beside this process
    with parser.stopping(), locked(flags.out, "--out"):
        import_tensorflow()
        result = export(**vars(flags))
    from export.verify import print_table

    print_table(result)
    print(f"written to {flags.out}")


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=existing_weights, help="run's folder or .keras file")
    add("--out", metavar="FILE.tflite", type=pathlib.Path, required=True, help="file to write")
    add(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="float16: weights in half precision; dynamic: weights in 8 bits; "
        "int8: weights and activations in 8 bits (default: %(default)s)",
    )
    add("--batch", type=positive_int, default=1, help="images in a batch (default: %(default)s)")
    add("--size", type=positive_int, help="images' side in pixels (default: the network's)")
    add_images_flag(parser, "to calibrate int8 and to verify with")
    return parser


def export(run, out, precision="float32", batch=1, size=None, images=()):
    """Writes the file and, for int8, the report beside it.

    Args:
        run: Path of a `.keras` file.
        out: Path of the file to write; it ends in `.tflite`.
        precision: One of `PRECISIONS`.
        batch: Images in a batch.
        size: Height and width of the images, in pixels, or None, see `fixed_size`.
        images: Paths of image files and folders to calibrate and to verify with; empty for those
            of the run, or for patterns.

    Returns:
        What `verify` says about the file.

    Raises:
        ProgramError: If that is not possible, or the file misses a bound. Nothing is written then.
    """
    from common.files import replacing, write_json
    from common.trained import load_trained
    from export.litert import conversion, quantization
    from export.network import fixed_size, inference_network
    from export.tasks import check_precision, task_of
    from export.verification.samples import calibration_images
    from export.verify import verify

    with working_on("loading the network"):
        trained = load_trained(run)
    task, report = task_of(trained), None
    check_precision(trained, task, precision)
    size = fixed_size(trained, size)
    network = inference_network(trained.network, task, size)
    samples = calibration_images(trained, images, size) if precision == "int8" else None
    with working_on("converting"):
        model = conversion.convert(network, task, batch, float16=precision == "float16")
    if precision == "dynamic":
        model = quantization.quantize_dynamic(model)
    if precision == "int8":
        with working_on(f"calibrating on {len(samples)} images, and measuring every layer"):
            model, report = quantization.quantize_static(model, samples, task)
    model = conversion.add_metadata(model, trained, task, network, precision)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, out.name)
        path.write_bytes(model)
        result = verify(path, trained, images)
    if result["missed"]:
        raise ProgramError(f"the LiteRT file is wrong: {'; '.join(result['missed'])}")
    with replacing(out) as path:
        path.write_bytes(model)
    if report is not None:
        write_json(out.with_suffix(".layers.json"), report)
    return result | {"artifact": str(out)}


if __name__ == "__main__":
    main()
