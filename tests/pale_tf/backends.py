"""Runs something on another of Keras' backends, in a process of its own."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest


def optional(backend):
    """A backend that comes with the extra `peers`."""
    missing = importlib.util.find_spec(backend) is None
    return pytest.param(
        backend, marks=pytest.mark.skipif(missing, reason=f"no {backend}: pip install -e .[peers]")
    )


OTHERS = ["jax", optional("torch")]
OTHERS_TO_PREDICT = [*OTHERS, "openvino"]  # OpenVINO does not train


def run_on(backend, script, *arguments):
    """Runs a script of this folder on a backend, on the CPU and in float32."""
    folder = pathlib.Path(__file__).parent
    # OpenVINO is told so by a program of its own.
    scripts = ["backend_openvino.py"] * (backend == "openvino") + [script]
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, *(folder / name for name in scripts), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
