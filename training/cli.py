"""Command lines whose errors are one line each, with exit code 2."""

import argparse
import os


class Parser(argparse.ArgumentParser):
    """argparse's parser; an error prints one line that names the argument, and no usage."""

    def __init__(self, description):
        super().__init__(description=description)

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def positive_int(text):
    """argparse type: an integer of 1 or more."""
    return _bounded_int(text, 1)


def seed(text):
    """argparse type: an integer that NumPy, Python and TensorFlow all take as a seed."""
    return _bounded_int(text, 0, 2**32 - 1)


def _bounded_int(text, low, high=None):
    limits = f"{low} or more" if high is None else f"in {low}..{high}"
    if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
        raise argparse.ArgumentTypeError(f"must be an integer, {limits}; got {text!r}")
    return int(text)


def make_folder(parser, argument, path):
    """Makes the folder `path`; an error of `argument` if it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument {argument}: cannot make the folder {path}: {error.strerror}")
    if not os.access(path, os.W_OK | os.X_OK):
        parser.error(f"argument {argument}: cannot write to the folder {path}")


def quiet_tensorflow():
    """Silences TensorFlow's C++ log, which reports harmless things as errors on every machine.

    Real errors still come as Python exceptions. `TF_CPP_MIN_LOG_LEVEL=0` brings the log back. Call
    it before TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
