"""One writer at a time."""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from common.errors import SettingError, WriteError
from common.locks import locked
from tests.conftest import ROOT

HOLD = """
import pathlib, sys
from common.locks import locked
with locked(pathlib.Path(sys.argv[1]), "--out"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def hold(path):
    """A process that holds the lock until it reads the end of its input."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    return process


def lock(path):
    with locked(path, "--out"):
        pass


@pytest.mark.parametrize("name", ["", "model.tflite"])
def test_another_process_is_refused_until_the_first_one_ends(tmp_path, name):
    path = tmp_path / name
    process = hold(path)
    with pytest.raises(SettingError, match=f"argument --out: another process .* to {path};"):
        lock(path)
    process.communicate("")
    lock(path)
    assert list(tmp_path.iterdir()) == []


def test_without_an_argument_it_waits(tmp_path):
    process = hold(tmp_path)
    timer = threading.Timer(0.5, process.stdin.close)
    timer.start()
    with locked(tmp_path):
        assert timer.finished.is_set()
    process.wait()


def test_a_killed_process_leaves_no_lock(tmp_path):
    process = hold(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / ".lock").exists()
    lock(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to():
    with pytest.raises(WriteError, match="cannot lock /proc/1"):
        lock(pathlib.Path("/proc/1"))
