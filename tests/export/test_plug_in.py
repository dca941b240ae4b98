"""OpenVINO's runtime in a process that handles signals."""

import signal
import subprocess
import sys

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from tests.conftest import ROOT
from tests.export.plug_in import compile_model

# Two plug-ins, of which the first one is released first; then a signal that Python handles.
PROGRAM = """
import gc, os, signal
import numpy as np
import openvino
from openvino import opset13 as ops
from tests.export.plug_in import compile_model

def model():
    x = ops.parameter([2, 3], np.float32)
    return openvino.Model([ops.relu(x)], [x])

def plug_in():
    return {make}

first, second = plug_in(), plug_in()
del first
gc.collect()
del second
gc.collect()
handled = []
signal.signal(signal.SIGTERM, lambda *_: handled.append("handled"))
os.kill(os.getpid(), signal.SIGTERM)
print(*handled)
"""
OURS = "compile_model(model(), {})"
OPENVINOS = 'openvino.Core().compile_model(model(), "CPU")'


def run(make):
    command = [sys.executable, "-c", PROGRAM.replace("{make}", make)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_signals_are_handled_after_it():
    done = run(OURS)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the plug-in does so on Linux alone")
def test_openvino_alone_does_not_see_to_that():
    """Otherwise, `keeping_signal_stack` is no longer needed."""
    assert run(OPENVINOS).returncode == -signal.SIGSEGV


def test_models_run():
    x = ops.parameter([2, 3], np.float32)
    compiled = compile_model(openvino.Model([ops.relu(x)], [x]), {"INFERENCE_NUM_THREADS": 1})
    found = compiled([np.array([[-1, 0, 2], [3, -4, 5]], "float32")])[0]
    np.testing.assert_array_equal(found, [[0, 0, 2], [3, 0, 5]])


@pytest.mark.skipif(sys.platform != "linux", reason="the plug-in does so on Linux alone")
def test_a_test_that_does_otherwise_fails(tmp_path):
    """It is named, rather than the process ended in another test."""
    file = tmp_path / "test_moves.py"
    file.write_text(
        "import ctypes\n"
        "from tests.signal_stack import SignalStack\n"
        "MEMORY = ctypes.create_string_buffer(65536)\n"
        "def test_moves():\n"
        "    stack = SignalStack(ctypes.addressof(MEMORY), 0, 65536)\n"
        "    assert not ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "tests.conftest", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "moved the stack of signal handlers" in done.stdout
