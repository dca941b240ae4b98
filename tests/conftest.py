"""Fixtures shared by tests."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Two processes run the tests on two cores: with a thread for each core, each waits for the other.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# TensorFlow asks the CPU itself whether it computes in bfloat16; oneDNN, held back to play an older
# one, has no primitive then.
HAS_BFLOAT16 = "ONEDNN_MAX_CPU_ISA" not in os.environ
needs_bfloat16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="oneDNN is held back")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A TFDS data folder, filled by whoever needs it first."""
    return tmp_path_factory.mktemp("tfds")


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


@pytest.fixture(scope="session")
def make_run(program, data_dir, tmp_path_factory):
    """Makes a run of two epochs on some replicas, once: its folder, and the finished process."""
    runs = {}

    def make(replicas):
        if replicas not in runs:
            cwd = tmp_path_factory.mktemp("cwd")
            done = program(
                "tests/training/small_fit.py",
                *("--strategy", "mirrored", "--epochs", 2, "--seed", 3, "--data-dir", data_dir),
                *("--out", "runs/first", "--cpu-replicas", replicas, "--checkpoint-every", 5),
                cwd=cwd,
            )
            assert done.returncode == 0, done.stderr
            runs[replicas] = cwd / "runs" / "first", done
        return runs[replicas]

    return make
