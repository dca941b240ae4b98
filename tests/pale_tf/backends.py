"""Runs something on another of Keras' backends, in a process of its own."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

# PyTorch comes with the extra `peers`.
OTHERS = [
    "jax",
    pytest.param(
        "torch",
        marks=pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no torch"),
    ),
]


def run_on(backend, script, *arguments):
    """Runs a script of this folder on a backend, on the CPU."""
    path = pathlib.Path(__file__).with_name(script)
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, path, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
