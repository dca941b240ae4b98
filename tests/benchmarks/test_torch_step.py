"""A training step on Keras' PyTorch backend: pip install -e ".[peers]"."""

import os
import subprocess
import sys

import pytest

from benchmarks.paths import ROOT

SCRIPT = """
from benchmarks.torch_step import make_step
step = make_step("pale_n", 2, size=32)
print(*(step() for _ in range(8)))
"""


@pytest.mark.slow
def test_it_learns_a_batch():
    pytest.importorskip("torch")
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    losses = [float(word) for word in done.stdout.split()]
    assert len(losses) == 8
    assert losses[-1] < losses[0]
