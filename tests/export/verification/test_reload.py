"""The program that runs an artifact where this project is not."""

import json
import runpy
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT

PROGRAM = ROOT / "export" / "verification" / "reload.py"


def test_runs_where_neither_this_project_nor_keras_is(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 3), name="images")])
    def sums(images):
        return {"sums": tf.reduce_sum(images, axis=(1, 2))}

    tf.saved_model.save(tf.Module(), tmp_path / "1", {"serving_default": sums})
    images = np.ones((2, 4, 4, 3), "float32")
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-P", PROGRAM, "1", "images.npy", "out.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as arrays:
        np.testing.assert_array_equal(arrays["serving_default/sums"], np.full((2, 3), 16.0))
        assert "milliseconds" in json.loads(str(arrays["report"]))["serving_default"]


@pytest.mark.parametrize("name", ["pale_tf", "keras", "common", "export"])
def test_blocks_what_makes_artifacts(name, monkeypatch):
    foreign = runpy.run_path(str(PROGRAM))["FOREIGN"]
    assert name in foreign
    code = f"import sys; sys.modules.update(dict.fromkeys({foreign})); import {name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert f"import of {name} halted" in done.stderr
