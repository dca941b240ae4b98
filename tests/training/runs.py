"""Runs of fit.py, with a small network, in processes of their own, and how two of them compare."""

import os
import subprocess
import sys
import time

import numpy as np

from tests.conftest import ROOT
from training.loop.checkpoints import list_checkpoints

FIT = [sys.executable, str(ROOT / "tests" / "training" / "small_fit.py")]
ENVIRONMENT = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}


def start(*arguments, command=FIT, **variables):
    """Starts fit.py, or another command, with more environment variables."""
    return subprocess.Popen(
        [*map(str, command), *map(str, arguments)],
        env=ENVIRONMENT | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def finish(*arguments, **options):
    """Runs fit.py to its end, and returns what it printed."""
    process = start(*arguments, **options)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output


def wait_for(condition, process, limit=300):
    """Waits until `condition()` holds, as long as the process lives."""
    end = time.monotonic() + limit
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def checkpoints(out):
    """Paths of a run's checkpoints, the oldest first."""
    return list_checkpoints(out / "checkpoints")


def last_state(out):
    """Contents of a run's last checkpoint, but for the time that it took."""
    with np.load(checkpoints(out)[-1]) as file:
        return {name: file[name] for name in file.files if name != "seconds"}


def assert_same_run(one, other):
    """Asserts that two runs ended with the same bits, and saw the same epochs."""
    expected, actual = last_state(one), last_state(other)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    histories = [
        np.genfromtxt(out / "history.csv", delimiter=",", names=True) for out in (one, other)
    ]
    for name in histories[0].dtype.names:
        if name not in ("seconds", "images_per_second"):
            np.testing.assert_array_equal(histories[0][name], histories[1][name])
