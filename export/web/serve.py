"""Serves a page that runs a network on images in the browser: `python export/web/serve.py RUN`.

RUN is a run's folder, a `.keras` file, or a `.tflite` file of export/tflite.py.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import webbrowser

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from common.cli import Parser, existing_weights, port
from common.errors import SettingError
from common.runtime import import_tensorflow, use_cpu
from export.web.local_server import make_server

FOLDER = pathlib.Path(__file__).resolve().parent
LIBRARY = FOLDER / "node_modules" / "@litertjs" / "core"
DRAWN = "digits"  # the data set as whose images drawing.js prepares drawings


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", type=existing_weights, help="see above")
    parser.add_argument("--port", type=port, default=8000, help="(default: %(default)s)")
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=True, help="open a browser"
    )
    flags = parser.parse_args(argv)
    if not LIBRARY.is_dir():
        parser.error(f"the page needs LiteRT's library: npm ci --prefix {FOLDER}")
    use_cpu()  # for exact numbers, and the artifact runs beside this process
    with parser.stopping(), tempfile.TemporaryDirectory() as folder:
        import_tensorflow()
        files = {}
        try:
            server = make_server(FOLDER, files, flags.port)
        except OSError as error:
            parser.error(f"argument --port: cannot listen on {flags.port}: {error.strerror}")
        files |= make_files(flags.run, pathlib.Path(folder))
        url = f"http://localhost:{server.server_port}/"
        print(f"{url}  stop with Ctrl-C", flush=True)
        if flags.open:
            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def make_files(path, folder):
    """Makes the files that the page asks for: the network as LiteRT, and its description.

    Args:
        path: A `.keras` or `.tflite` file.
        folder: Where to put a `.tflite` made from the former.

    Returns:
        Dict from the names that the page asks for to bytes.

    Raises:
        ProgramError: If that is not possible.
    """
    from export import tflite
    from export.litert.metadata import read_about
    from export.verification.artifacts import describe

    model = path
    if path.suffix != ".tflite":
        model = folder / "model.tflite"
        tflite.export(path, model)
    described, about = describe(model), read_about(model)
    if described["batch"] != 1:
        raise SettingError(f"argument RUN: {path} takes {described['batch']} images at once, not 1")
    about = {
        "name": f"{path.parent.name}/{path.name}",
        "task": about["task"],  # the page has a module of its name
        "size": described["size"],
        "cropFraction": about["crop_fraction"],
        "input": "images",
        "megabytes": described["bytes"] / 1e6,
        "drawn": about["dataset"] == DRAWN,
        **described_page(path, about),
    }
    return {"model.json": json.dumps(about).encode(), "model.tflite": model.read_bytes()}


def described_page(path, about):
    """The fields of `model.json` that the task of a network adds.

    Raises:
        SettingError: If there is no such task, or the page does not show its results.
    """
    from export.tasks import load_task

    try:
        page = load_task(about["task"]).page(about["files"])
    except ValueError as error:
        raise SettingError(f"argument RUN: the task of {path} {error}") from error
    if not page:
        raise SettingError(f"argument RUN: the page shows no results of the task {about['task']!r}")
    return page


if __name__ == "__main__":
    main()
