"""Fixtures shared by tests."""

import fcntl
import functools
import gc
import os
import pathlib
import pickle
import subprocess
import sys

import pytest

from tests.signal_stack import signal_stack

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Two processes run the tests on two cores: with a thread for each core, each waits for the other.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Tracing makes millions of objects that stay: looking for garbage among them takes a tenth of the
# time.
gc.set_threshold(100_000, 50, 50)

# TensorFlow asks the CPU itself whether it computes in bfloat16; oneDNN, held back to play an older
# one, has no primitive then.
HAS_BFLOAT16 = "ONEDNN_MAX_CPU_ISA" not in os.environ
needs_bfloat16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="oneDNN is held back")


STACK = pytest.StashKey()


def pytest_sessionstart(session):
    session.stash[STACK] = signal_stack()


def pytest_runtest_teardown(item):
    """Fails a test that leaves signal handlers on memory that will be unmapped.

    Otherwise, the next test that sends itself a signal would end its process, and nothing would
    say why.
    """
    before, after = item.session.stash[STACK], signal_stack()
    if before is not None and bytes(before) != bytes(after):
        pytest.fail("moved the stack of signal handlers: see tests/export/plug_in.py")


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Makes a thing once for all processes that run tests.

    `once(name, make)` calls `make` with a folder of this name that nobody else has, unless another
    process did, and gives what it returned, pickled meanwhile.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # one of several, each with a folder in this one
        root = root.parent

    def share(name, make):
        folder, made = root / name, root / f"{name}.made"
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                folder.mkdir(exist_ok=True)
                result = make(folder)
                made.write_bytes(pickle.dumps(result))
            return pickle.loads(made.read_bytes())

    return share


@pytest.fixture(scope="session")
def data_dir(once):
    """A TFDS data folder, filled by whoever needs it first."""
    return once("tfds", lambda folder: folder)


@pytest.fixture(scope="session")
def program():
    """Runs a program of the repository in a process of its own, where there is no GPU."""

    def run(*arguments, cwd=ROOT):
        path, *rest = map(str, arguments)
        return subprocess.run(
            [sys.executable, str(ROOT / path), *rest],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )

    return run


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs a program in this process, which saves the seconds that importing TensorFlow takes.

    `call(main, name, *arguments)` gives its exit code, what it printed, and what it said of errors.
    """

    def run(main, name, *arguments):
        monkeypatch.setattr(sys, "argv", [name])
        try:
            code = main(list(map(str, arguments))) or 0
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def make_run(program, data_dir, once):
    """Makes a run of two epochs on some replicas, once: its folder, and the finished process."""

    def run(replicas, cwd):
        done = program(
            "tests/training/small_fit.py",
            *("--strategy", "mirrored", "--epochs", 2, "--seed", 3, "--data-dir", data_dir),
            *("--out", "runs/first", "--cpu-replicas", replicas, "--checkpoint-every", 5),
            cwd=cwd,
        )
        assert done.returncode == 0, done.stderr
        return cwd / "runs" / "first", done

    return lambda replicas: once(f"cwd{replicas}", functools.partial(run, replicas))
