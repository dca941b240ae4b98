"""Importing TensorFlow: in which memory, on which devices, and without its messages."""

import contextlib
import logging
import os
import sys
import tempfile

# glibc's malloc: memory in huge pages (where Linux' `transparent_hugepage` is `madvise`), large
# blocks as parts of the heap, and nothing of that given back before the process ends.
TUNABLES = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:"
    "glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=67108864"
)


def keep_memory():
    """Restarts this program with `TUNABLES`, which glibc reads at the start of a process.

    TensorFlow frees and asks for the tensors of each step on a CPU anew. glibc would give large
    ones back to the system, which then clears page after page of them: a third of the time of a
    training step. Call it before any work is done. It does nothing without glibc, nor where
    `GLIBC_TUNABLES` is set already.
    """
    try:
        glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError):  # Windows; macOS
        return
    if glibc and sys.executable and "GLIBC_TUNABLES" not in os.environ:
        environment = os.environ | {"GLIBC_TUNABLES": TUNABLES}
        with contextlib.suppress(OSError):  # slower, but runs
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


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
