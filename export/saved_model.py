"""Exports a network for TF Serving: `python export/saved_model.py RUN --out MODELS/NAME`.

Writes the next version of the model NAME, and what the server is started with into MODELS.
"""

import contextlib
import pathlib
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, existing_weights, make_folder, positive_int, working_on
from common.errors import ProgramError, WriteError
from common.runtime import import_tensorflow, use_cpu
from export.image_paths import add_images_flag

XLA = ("attention", "model", "off")


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    flags.out = flags.out.resolve()
    make_folder(parser, "--out", flags.out)
    make_folder(parser, "--out", flags.out.parent)  # is there, but perhaps not writable
    use_cpu()  # for exact numbers, and the artifact runs beside this process
    with parser.stopping():
        import_tensorflow()
        version, result = export(**vars(flags))
    from export.verify import print_table

    print_table(result)
    print(summary(version, flags.out, result["task"]))


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=existing_weights, help="run's folder or .keras file")
    add("--out", metavar="MODELS/NAME", type=pathlib.Path, required=True, help="model's folder")
    add(
        "--xla",
        choices=XLA,
        default="attention",
        help="what XLA compiles in the signature serving_xla (default: %(default)s)",
    )
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of weights and products; bfloat16 is for CPUs with AVX512-BF16 or AMX, and for GPUs "
        "(default: %(default)s)",
    )
    add("--size", type=positive_int, help="images' side in pixels (default: the network's, or any)")
    add(
        "--max-batch",
        type=positive_int,
        help="images that the server may run together, the same for all models in MODELS "
        "(default: theirs, or 32; 1 for segmenters and detectors)",
    )
    add_images_flag(parser, "to verify with")
    return parser


def export(run, out, xla="attention", precision="float32", size=None, max_batch=None, images=()):
    """Writes a version and the server's files.

    Args:
        run: Path of a `.keras` file.
        out: Folder of the model, beside those of the server's other models. It is there.
        xla: One of `XLA`, see `make_signatures`.
        precision: `float32` or `bfloat16`, of weights and products.
        size: Height and width of the images, in pixels, or None, see `served_size`.
        max_batch: Images that the server may run together, or None, see `choose_batches`.
        images: Paths of image files and folders to verify with; empty for those of the run, or for
            patterns.

    Returns:
        Path of the version, and what `verify` says about it.

    Raises:
        ProgramError: If that is not possible, or the version misses a bound. There is no new
            version then.
    """
    from common.trained import load_trained
    from export.network import fixed_size, inference_network, served_size
    from export.serving import card, server_files, versions, warmup
    from export.serving.signatures import describe, make_signatures, write_model
    from export.tasks import check_precision, task_of
    from export.verification.running import SAVED_MODEL_FILE
    from export.verify import verify

    versions.check_kind(out, SAVED_MODEL_FILE)
    with working_on("making the signatures"):
        trained = load_trained(run)
        task = task_of(trained)
        check_precision(trained, task, precision)
        batches = server_files.choose_batches(out.parent, max_batch, task.batch)
        size = served_size(trained, task, size)
        network = inference_network(trained.network, task, size, precision)
        signatures = make_signatures(network, trained, task, xla)
    with versions.new_version(out) as version, writing(out):
        with working_on("writing the SavedModel"):
            write_model(version.path, network, signatures)
        result = verify(version.path, trained, images)
        if result["missed"]:
            raise ProgramError(f"the SavedModel is wrong: {'; '.join(result['missed'])}")
        extra = card.make_extra(version.path, trained, task)
        side, requests = fixed_size(trained, size), version.path / warmup.FILE
        warmup.write_warmup(requests, out.name, signatures, batches, side)
        card.write_card(extra, trained, task, version.path, describe(signatures), result)
    server_files.write_server_files(out.parent, batches)
    return version.path, result | {"artifact": str(version.path)}


@contextlib.contextmanager
def writing(folder):
    """Makes a `WriteError` of TensorFlow's errors, such as that of a full disk."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise WriteError(f"cannot write {folder}: {error.message.splitlines()[0]}") from error


def summary(version, model, task):
    """Text for the user at the end: files written, and commands to go on with."""
    return "\n".join(
        [
            "",
            f"{version}  version {version.name} of {model.name}; card: assets.extra/model_card.md",
            f"{model.parent}  the server's files: docker-compose.yml and what it names",
            "",
            "Next:",
            f"  saved_model_cli show --all --dir {version}",
            f"  docker compose --project-directory {model.parent} up",
            f"  python export/client.py --model {model.name} --task {task} IMAGE…",
        ]
    )


if __name__ == "__main__":
    main()
