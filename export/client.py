"""Asks a model server about images: `python export/client.py --model NAME IMAGE…`.

The server is TF Serving, or OpenVINO Model Server with a model of files.
"""

import argparse
import contextlib
import os
import pathlib
import sys
import time

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, make_folder, positive_float, positive_int, printable
from common.errors import ProgramError, SettingError
from common.runtime import import_tensorflow

PORTS = {"grpc": 8500, "rest": 8501}
POLL = 0.5  # seconds between two questions whether the model is ready


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    import_tensorflow()
    from common.files import check_stems
    from export.serving.clients import GrpcClient, RefusedError, RestClient
    from export.tasks import load_task

    try:
        task = load_task(flags.task)
    except ValueError as error:
        parser.error(f"argument --task: {error}")
    if flags.out is not None:
        if task.pictures is None:
            parser.error(f"argument --out: the task {flags.task} has no pictures")
        with parser.stopping():
            check_stems(flags.images)
        make_folder(parser, "--out", flags.out)
    make = {"grpc": GrpcClient, "rest": RestClient}[flags.protocol]
    client = make(with_port(flags.host, flags.protocol), flags.model, flags.deadline)
    with parser.stopping():
        warn_of_range(flags.images[0])
        wait_until_ready(client, flags.wait)
        refused = print_answers(client, task, flags.images, flags.batch, flags.out)
    if refused:
        parser.exit(RefusedError.exit_code)


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("images", metavar="IMAGE", nargs="+", type=existing_file, help="JPEG or PNG files")
    add("--model", required=True, help="name that it is served under")
    add(
        "--task",
        default="classify",
        help="the model's: classify, segment or detect (default: %(default)s)",
    )
    add("--host", default="localhost", help="HOST or HOST:PORT; [IPV6]:PORT (default: %(default)s)")
    add("--protocol", choices=sorted(PORTS), default="grpc", help="(default: %(default)s)")
    add(
        "--out",
        metavar="FOLDER",
        type=pathlib.Path,
        help="folder for pictures of the answers, such as IMAGE-mask.png, if the task has any",
    )
    add("--batch", type=positive_int, default=16, help="images a request (default: %(default)s)")
    add(
        "--deadline",
        type=positive_float,
        default=10.0,
        help="seconds for a request and its retries (default: %(default)s)",
    )
    add(
        "--wait",
        type=positive_float,
        default=30.0,
        help="seconds for the model to become ready (default: %(default)s)",
    )
    return parser


def with_port(host, protocol):
    """`HOST:PORT` of a HOST, which may be an IPv6 address, or of a HOST:PORT."""
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"
    has_port = ":" in host.rpartition("]")[2]
    return host if has_port else f"{host}:{PORTS[protocol]}"


def existing_file(text):
    """argparse type: the path of a file."""
    path = pathlib.Path(text)
    if not path.is_file() or not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"cannot read a file {text}")
    return path


def warn_of_range(path):
    """Warns on stderr if the values of an image were scaled to 0..1; the others will be alike."""
    import tensorflow as tf

    from common.limits import is_bearable, is_gif
    from pale_tf.ranges import SCALED, is_scaled

    try:
        encoded = path.read_bytes()
        bearable = is_bearable(encoded) and not is_gif(encoded)  # whose frames would all be decoded
        scaled = bearable and is_scaled(tf.io.decode_image(encoded, channels=3))
    except (OSError, tf.errors.InvalidArgumentError):  # its own answer will say so
        return
    if scaled:
        print(f"{path}: warning: {SCALED}", file=sys.stderr)


def wait_until_ready(client, seconds):
    """Waits until the server has a version of the model.

    Raises:
        ServerError: If it still has none after `seconds`; the text says what the last answer was.
    """
    end = time.monotonic() + seconds
    while (problem := client.problem(max(POLL, end - time.monotonic()))) is not None:
        if time.monotonic() > end:
            raise problem
        time.sleep(POLL)


def print_answers(client, task, paths, batch, out=None):
    """Prints the answer to each image, and on stderr what is refused.

    Args:
        client: A client of `export.serving.clients`.
        task: The `Task` of the model.
        paths: Image files.
        batch: Images a request.
        out: Folder for pictures of the answers, or None.

    Returns:
        Number of images that the server refused, or that cannot be read any more.

    Raises:
        ServerError: If the server fails.
        WriteError: If a picture cannot be written.
    """
    import rich.console
    import rich.progress

    refused = 0
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task("asking", total=len(paths))
        for part in batches(paths, batch):
            for path, answer in zip(part, ask(client, part), strict=True):
                if isinstance(answer, ProgramError):
                    refused += 1
                    print(f"{path}: {answer}", file=sys.stderr)
                    continue
                print("\n  ".join([str(path), *lines_of(answer, task)]))
                if out is not None:
                    write_pictures(out, path, answer, task)
            progress.advance(bar, len(part))
    return refused


def lines_of(answer, task):
    """The lines of an answer, or a `ServerError` if it is none to the task."""
    with checked(answer):
        return [printable(line) for line in task.lines(answer)]


def write_pictures(folder, path, answer, task):
    """Writes the pictures of an answer to an image into a folder."""
    from common.files import replacing

    content = path.read_bytes()
    with checked(answer):
        pictures = task.pictures(answer, content)
    for end, picture in pictures.items():
        with replacing(folder / f"{path.stem}{end}") as temporary:
            temporary.write_bytes(picture)


@contextlib.contextmanager
def checked(answer):
    """Makes a `ServerError` of what goes wrong with an answer that is none to the task."""
    from export.serving.clients import ServerError

    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        names = ", ".join(answer) or "none"
        raise ServerError(f"the outputs, {names}, are not those of the task: {error}") from error


def batches(paths, size):
    return [paths[start : start + size] for start in range(0, len(paths), size)]


def ask(client, paths):
    """Answers to a few images; a `ProgramError` in place of each that has none.

    A server refuses all if it cannot decode one, or takes only one: then each is sent by itself.
    """
    from export.serving.clients import RefusedError

    try:
        return client.predict([path.read_bytes() for path in paths])
    except (RefusedError, OSError) as error:
        if len(paths) > 1:
            return [answer for path in paths for answer in ask(client, [path])]
        if isinstance(error, OSError):
            return [SettingError(f"cannot read it: {error.strerror}")]
        return [error]


if __name__ == "__main__":
    main()
