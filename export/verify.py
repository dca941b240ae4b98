"""Proves an artifact: `python export/verify.py ARTIFACT --against RUN`. Exit code 1 if it fails.

The artifact runs in a process that has neither this project nor Keras, and its numbers are compared
with those of the network in RUN.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, existing_weights, new_file, positive_int, working_on
from common.errors import ProgramError
from common.runtime import import_tensorflow, use_cpu
from export.image_paths import add_images_flag
from export.serving.server_files import ENVIRONMENT
from export.verification.running import OPENVINO_FILE, SAVED_MODEL_FILE

COUNT = 64  # images
# Of the table, where they are not the figures' names.
HEADINGS = {"milliseconds": "ms", "operations": "ops", "partitions": "parts"}


def main(argv=None):
    parser = Parser(__doc__)
    add = parser.add_argument
    add("artifact", metavar="ARTIFACT", type=artifact_path, help="version folder or .tflite file")
    add("--against", metavar="RUN", type=existing_weights, required=True, help="or .keras file")
    add_images_flag(parser, "to compare on")
    add("--count", type=positive_int, default=COUNT, help="images at most (default: %(default)s)")
    add("--json", type=new_file, help="file to write")
    flags = parser.parse_args(argv)
    use_cpu()  # for exact numbers, and the artifact runs beside this process
    with parser.stopping():
        import_tensorflow()
        from common.files import write_json
        from common.trained import load_trained

        trained = load_trained(flags.against)
        result = verify(flags.artifact, trained, flags.images, flags.count)
        if flags.json:
            write_json(flags.json, result)
    print_table(result)
    if result["missed"]:
        parser.exit(1)


def artifact_path(text):
    """argparse type: the folder of a SavedModel or of an OpenVINO model, or a LiteRT file."""
    path = pathlib.Path(text)
    if path.suffix == ".tflite" and path.is_file():
        return path
    if path.name in (SAVED_MODEL_FILE, OPENVINO_FILE):
        path = path.parent
    if any((path / file).is_file() for file in (SAVED_MODEL_FILE, OPENVINO_FILE)):
        return path
    raise argparse.ArgumentTypeError(
        f"{text} is neither a version of a SavedModel or an OpenVINO model, such as "
        "models/NAME/1, nor a .tflite file"
    )


def verify(artifact, trained, paths=(), count=COUNT):
    """Compares an artifact with the network it was made from.

    An artifact that takes any size gets images of the run's size. `serve_bytes` of every artifact
    gets files of several sizes.

    Args:
        artifact: Path of the folder of a SavedModel or of an OpenVINO model, or of a LiteRT file.
        trained: The `Trained`.
        paths: Image files and folders; empty for those of the run, or for patterns.
        count: Images at most.

    Returns:
        Dict: `artifact`; `size`, `precision` and `bytes` of `artifacts.describe`; `images`, how
        many and where from; `task`; `signatures`, by name the figures of the task's comparison,
        `milliseconds` for one batch, `operations` and, for LiteRT, delegate `partitions`; and
        `missed`, a text for each bound that does not hold.

    Raises:
        ProgramError: If an image cannot be read, or the artifact does not run.
    """
    import numpy as np

    from common.trained import in_float32
    from export.network import fixed_size
    from export.tasks import task_of
    from export.verification.artifacts import describe
    from export.verification.comparison import missed_bounds
    from export.verification.samples import images_for

    described, task = describe(artifact), task_of(trained)
    size = described["size"] or fixed_size(trained)
    if task.pixels is not None:
        count = min(count, max(1, task.pixels // size**2))
    images, origin = images_for(trained, paths, size, count)
    images = np.round(images)  # as the pixels of a file
    with working_on("running the artifact by itself, and the network"):
        outputs, signatures = reload(artifact, images)
        exact = in_float32(trained.network, described["size"])
        figures = compare_signatures(outputs, trained, task, exact, images)
    missed = []
    for name, report in signatures.items():
        report |= figures[name]
        texts = missed_bounds(figures[name], task, described["precision"])
        missed += [f"{name}: {text}" for text in texts]
    return {
        "artifact": str(artifact),
        **described,
        "task": trained.recipe["task"],
        "images": {"count": len(images), "origin": origin},
        "signatures": signatures,
        "missed": missed,
    }


def compare_signatures(outputs, trained, task, exact, images):
    """Compares what each signature gave with the network.

    Args:
        outputs: Dict of dicts of arrays, by signature and name.
        trained: The `Trained`.
        task: Its `Task`.
        exact: Its network in float32, for images of the artifact's size.
        images: float32 `[N, S, S, 3]`, whole numbers.

    Returns:
        Dict of figures, by signature.
    """
    from export.verification.comparison import largest_error
    from export.verification.running import cut

    expected = task.reference(exact, images)
    figures = {}
    for name, found in outputs.items():
        if name == "serve_bytes":
            answers = task.reference_answers(task, exact, cut(images), trained)
            figures[name] = task.compare_answers(found, answers, trained)
        elif name == "features":
            figures[name] = {"error": largest_error(found, expected)}
        else:
            figures[name] = task.compare(found, expected)
    return figures


def reload(artifact, images):
    """Runs an artifact in a fresh process, see `reload.py`.

    Returns:
        Outputs by signature and name, and the report by signature.

    Raises:
        ProgramError: If it does not run.
    """
    import numpy as np

    program = pathlib.Path(__file__).with_name("verification") / "reload.py"
    with tempfile.TemporaryDirectory() as folder:
        given, results = pathlib.Path(folder) / "images.npy", pathlib.Path(folder) / "out.npz"
        np.save(given, images)
        # -P: the folder of the program is not searched for modules.
        command = [sys.executable, "-P", program, artifact.resolve(), given, results]
        environment = os.environ | ENVIRONMENT  # as where it is served
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise ProgramError(f"{artifact} does not run: {lines[-1]}")
        outputs = {}
        with np.load(results) as arrays:
            report = json.loads(str(arrays["report"]))
            for name in arrays.files:
                signature, _, output = name.partition("/")
                if output:
                    outputs.setdefault(signature, {})[output] = arrays[name]
    return outputs, report


def print_table(result):
    """Prints what `verify` found, in 80 columns."""
    import rich.box
    import rich.console
    import rich.table

    from export.tasks import load_task

    images = result["images"]
    print(
        f"{result['artifact']}\n{result['precision']}, {result['bytes'] / 1e6:.1f} MB, "
        f"{images['count']} images ({images['origin']})"
    )
    formats = {
        **load_task(result["task"]).formats,
        "milliseconds": ".1f",
        "operations": "d",
        "partitions": "d",
    }
    reports = result["signatures"]
    used = [name for name in formats if any(name in report for report in reports.values())]
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("signature", no_wrap=True)
    for name in used:
        table.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
    for signature, report in reports.items():
        table.add_row(signature, *(_number(report.get(name), formats[name]) for name in used))
    rich.console.Console().print(table)
    for text in result["missed"]:
        print(f"MISSED  {text}")


def _number(value, form):
    return "" if value is None else format(value, form)


if __name__ == "__main__":
    main()
