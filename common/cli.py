"""Command lines whose errors are one line each."""

import argparse
import contextlib
import io
import json
import os
import pathlib
import sys

from common.errors import ProgramError, WriteError
from common.run_files import MODEL

LARGEST = 2**31 - 1  # TensorFlow counts in 32 bits in places


class Parser(argparse.ArgumentParser):
    """argparse's parser; an error prints one line that names the argument, and no usage."""

    def __init__(self, description):
        super().__init__(description=description)
        if isinstance(sys.stdout, io.TextIOWrapper):  # in a notebook, it is something else
            sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text

    def error(self, message):
        self.exit(2, self._line(message))

    def stop(self, error, at_once=False):
        """Ends the program with a `ProgramError`'s text and exit code.

        `at_once` leaves out Python's clean-up, in which TensorFlow may wait for lost workers.
        """
        if not at_once:
            self.exit(error.exit_code, self._line(str(error)))
        sys.stdout.flush()
        sys.stderr.write(self._line(str(error)))
        sys.stderr.flush()
        os._exit(error.exit_code)

    @contextlib.contextmanager
    def stopping(self):
        """Ends the program in one line at a `ProgramError` or at an error of the file system."""
        try:
            yield
        except ProgramError as error:
            self.stop(error)
        except BrokenPipeError:  # whoever read the output has seen enough of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.exit(1)
        except OSError as error:
            self.stop(WriteError(f"cannot go on: {error}"))

    def _line(self, message):
        return f"{self.prog}: error: {' '.join(message.split())}\n"


def positive_int(text):
    """argparse type: an integer of 1 or more."""
    return _bounded_int(text, 1)


def natural_int(text):
    """argparse type: an integer of 0 or more."""
    return _bounded_int(text, 0)


def positive_float(text):
    """argparse type: a finite number above 0."""
    return _bounded_float(text, sys.float_info.max, "a number above 0")


def factor(text):
    """argparse type: a number above 0, at most 1."""
    return _bounded_float(text, 1, "a number above 0, at most 1")


def _bounded_float(text, high, what):
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= high:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be {what}; got {text!r}")


def option(text):
    """argparse type: a name and a value, `NAME=VALUE`. A word that is not JSON is text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError as error:
        if value.startswith(("[", "{", '"')):
            raise argparse.ArgumentTypeError(
                f"{name} must be a word or JSON ({error}); got {value!r}"
            ) from error
        return name, value


def seed(text):
    """argparse type: an integer that NumPy, Python and TensorFlow all take as a seed."""
    return _bounded_int(text, 0, 2**32 - 1)


def replicas(text):
    """argparse type: a number of replicas that one CPU can play."""
    return _bounded_int(text, 1, 64)


def _bounded_int(text, low, high=None):
    highest = LARGEST if high is None else high
    is_short = text.isdecimal() and len(text.lstrip("0")) <= len(str(highest))
    if is_short and low <= int(text) <= highest:
        return int(text)
    is_large = text.isdecimal() and not (is_short and int(text) <= highest)
    limits = f"{low} or more" if high is None and not is_large else f"in {low}..{highest}"
    raise argparse.ArgumentTypeError(f"must be an integer, {limits}; got {text[:20]!r}")


def run_folder(text):
    """argparse type: a folder with a trained network."""
    folder = pathlib.Path(text)
    if not (folder / MODEL).is_file():
        raise argparse.ArgumentTypeError(f"there is no {MODEL} in {text}")
    return folder


def existing_weights(text):
    """argparse type: a run's folder, which stands for its `model.keras`, or a weights file."""
    path = pathlib.Path(text)
    if path.suffix == ".safetensors" or (path / "model.safetensors").exists():
        raise argparse.ArgumentTypeError(f"make a run of {text} first: training/convert.py")
    path = path / MODEL if path.is_dir() else path
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no {path}")
    return path


def new_file(text):
    """argparse type: the path of a file that can be written."""
    path = pathlib.Path(text)
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"cannot write the file {text}")
    return path


def port(text):
    """argparse type: a TCP port, or 0 for any free one."""
    return _bounded_int(text, 0, 2**16 - 1)


def make_folder(parser, argument, path):
    """Makes the folder `path`; an error of `argument` if it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument {argument}: cannot make the folder {path}: {error.strerror}")
    if not os.access(path, os.W_OK | os.X_OK):
        parser.error(f"argument {argument}: cannot write to the folder {path}")


def printable(text):
    """A text from a stranger, with nothing in it that steers a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def working_on(text):
    """Context manager that shows on a terminal what is being done."""
    import rich.console

    return rich.console.Console(stderr=True).status(f"{text}…")
