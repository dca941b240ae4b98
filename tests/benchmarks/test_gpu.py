"""The benchmark of a GPU, where there is none."""

import subprocess
import sys

import pytest

from benchmarks import counts, gpu
from benchmarks.paths import ROOT

PEER = "swin_tiny_patch4_window7_224"


def test_a_row_that_cannot_be_measured_says_why(tmp_path, monkeypatch):
    (tmp_path / "timm.py").write_text('raise ImportError("no timm here")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    row = gpu.measure_apart(PEER, "training", 2, gpu.PEAK)
    assert (row["model"], row["mode"], row["batch"]) == (PEER, "training", 2)
    assert row["error"] in ("ImportError: no timm here", "ModuleNotFoundError: no timm here")
    assert "images_per_second" not in row


@pytest.mark.slow
@pytest.mark.parametrize("mode", gpu.MODES)
def test_measures_pale_on_jax(mode, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    row = gpu.measure_apart("pale_n", mode, 2, gpu.PEAK)
    assert "error" not in row, row
    assert len(row["seconds"]) == gpu.REPETITIONS
    work = counts.macs()["pale_n"] * (6 if mode == "training" else 2)
    assert row["utilization"] == pytest.approx(row["images_per_second"] * work / gpu.PEAK)


def test_needs_nothing_but_python_before_a_row_is_measured():
    """Who has keras and jax alone can run it; they are imported in the processes of the rows."""
    code = """
import sys
import benchmarks.gpu
print({"tensorflow", "keras", "jax", "torch", "rich", "matplotlib"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_model_has_its_operations_counted():
    assert all(gpu.PEERS.get(model, model) in counts.macs() for model in gpu.MODELS)
