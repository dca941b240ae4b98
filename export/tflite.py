"""Exports a network for LiteRT: `python export/tflite.py RUN --out FILE.tflite`."""

import pathlib
import sys
import tempfile

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, existing_weights, make_folder, positive_int, working_on
from common.errors import ProgramError, SettingError
from common.runtime import import_tensorflow, use_cpu
from export.image_paths import add_images_flag

PRECISIONS = ("float32", "float16", "dynamic", "int8")
CALIBRATION_IMAGES = 64


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    if flags.out.suffix != ".tflite":
        parser.error(f"argument --out: must end in .tflite; got {flags.out}")
    make_folder(parser, "--out", flags.out.parent)
    import_tensorflow()
    use_cpu()  # for exact numbers, and the artifact runs beside this process
    from export.verify import print_table

    try:
        result = export(flags)
    except ProgramError as error:
        parser.stop(error)
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


def export(flags):
    """Writes the file and, for int8, the report beside it.

    Returns:
        What `verify` says about the file.

    Raises:
        ProgramError: If that is not possible, or the file misses a bound. Nothing is written then.
    """
    from common.files import replacing, write_json
    from common.trained import load_trained
    from export.litert import conversion, quantization
    from export.network import inference_network
    from export.verification.samples import images_for
    from export.verify import verify

    with working_on("loading the network"):
        trained = load_trained(flags.run)
    network = inference_network(trained.network, flags.size)
    size, report = network.input_shape[1], None
    images, origin = images_for(trained, flags.images, size, CALIBRATION_IMAGES)
    if flags.precision == "int8" and origin == "patterns":
        raise SettingError(
            "argument --images: int8 needs images like those that the network will see; "
            f"there are none in {trained.folder}"
        )
    with working_on("converting"):
        model = conversion.convert(network, flags.batch, float16=flags.precision == "float16")
    if flags.precision == "dynamic":
        model = quantization.quantize_dynamic(model)
    if flags.precision == "int8":
        with working_on(f"calibrating on {len(images)} images, and measuring every layer"):
            model, report = quantization.quantize_static(model, images)
    model = conversion.add_metadata(model, trained, network, flags.precision)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, flags.out.name)
        path.write_bytes(model)
        result = verify(path, trained, flags.images)
    if result["missed"]:
        raise ProgramError(f"the LiteRT file is wrong: {'; '.join(result['missed'])}")
    with replacing(flags.out) as path:
        path.write_bytes(model)
    if report is not None:
        write_json(flags.out.with_suffix(".layers.json"), report)
    return result | {"artifact": str(flags.out)}


if __name__ == "__main__":
    main()
