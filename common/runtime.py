"""Importing TensorFlow: on which devices, and without its messages."""

import logging
import os
import sys
import tempfile


def use_cpu():
    """Hides all GPUs from TensorFlow. Call it before TensorFlow is imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def import_tensorflow():
    """Imports TensorFlow without its messages, which report harmless things on every machine.

    `TF_CPP_MIN_LOG_LEVEL=0` brings them back. Real errors still come as Python exceptions.
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # deprecations, inside libraries
    sys.stderr.flush()
    stderr = os.dup(2)
    with _temporary_file() as said:
        # Some messages come before the log level is read: they are caught below Python.
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except ModuleNotFoundError as error:
            os.write(
                stderr, f"{error}: install the dependencies, pip install -e '.[all]'\n".encode()
            )
            sys.exit(2)
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _temporary_file():
    try:
        return tempfile.TemporaryFile()
    except OSError:  # there is no room for one; what needs it will say so
        return open(os.devnull, "r+b")
