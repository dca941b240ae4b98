"""Settings of TensorFlow, in processes that import it afterwards."""

import subprocess
import sys

from common import runtime
from tests.conftest import ROOT


def test_the_cpu_alone_is_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    runtime.use_cpu()
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "0\n"


def test_the_log_is_silent_unless_asked_for(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    runtime.quiet_tensorflow()
    code = "import os; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "3\n"
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    runtime.quiet_tensorflow()
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "0\n"
