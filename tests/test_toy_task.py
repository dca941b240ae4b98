"""A task that only the tests have goes through all programs: three files are all that it needs."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conftest import ROOT

TASK = pathlib.Path(__file__).parent / "data" / "mean_color"
FILES = {
    "training_task.py": "training/tasks/mean_color.py",
    "export_task.py": "export/tasks/mean_color.py",
    "recipe.py": "training/recipes/mean_color.py",
}
COUNT = 60


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the project, not installed, with the task's files and a folder of images."""
    root = tmp_path_factory.mktemp("clone")
    ignore = shutil.ignore_patterns("__pycache__", "node_modules")
    for package in ("pale_tf", "training", "export", "common"):
        shutil.copytree(ROOT / package, root / package, ignore=ignore)
    for name, path in FILES.items():
        shutil.copy(TASK / name, root / path)
    rng = np.random.default_rng(0)
    (root / "images" / "any").mkdir(parents=True)
    for index in range(COUNT):
        color = rng.integers(0, 256, 3)
        pixels = np.clip(color + rng.normal(0, 20, (20, 30, 3)), 0, 255).astype("uint8")
        Image.fromarray(pixels).save(root / "images" / "any" / f"{index}.png")
    return root


def start(clone, *arguments):
    """Starts a program of the copy in its folder."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=clone,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(clone, *arguments):
    """Runs a program of the copy; returns its output."""
    process = start(clone, *arguments)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output


def state(folder):
    """The variables in the last checkpoint of a run."""
    with np.load(max((folder / "checkpoints").iterdir())) as file:
        return {name: file[name] for name in file.files if name != "seconds"}


@pytest.fixture(scope="module")
def whole(clone):
    """A run that nothing interrupted."""
    fit = ("training/fit.py", "--recipe", "mean_color", "--checkpoint-every", 1)
    assert "test loss" in run(clone, *fit, "--out", "whole")
    return clone / "whole"


def test_it_learns_and_is_tested_once(whole):
    metrics = json.loads((whole / "metrics.json").read_text())
    assert set(metrics) == {"test_loss", "test_ema_loss", "train_seconds", "unreadable_images"}
    with (whole / "history.csv").open() as file:
        losses = np.genfromtxt(file, delimiter=",", names=True)["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_it_resumes_after_a_kill_to_the_same_bits(clone, whole):
    fit = ("training/fit.py", "--recipe", "mean_color", "--checkpoint-every", 1)
    process = start(clone, *fit, "--out", "broken")
    checkpoints = clone / "broken" / "checkpoints"
    while not (checkpoints.exists() and len(list(checkpoints.glob("step-*.npz"))) > 1):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run(clone, *fit, "--out", "broken", "--resume")
    expected, actual = state(whole), state(clone / "broken")
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


def test_it_is_evaluated(clone, whole):
    run(clone, "training/evaluate.py", "whole", "--json", "scores.json")
    scores = json.loads((clone / "scores.json").read_text())
    metrics = json.loads((whole / "metrics.json").read_text())
    assert scores["raw"]["loss"] == metrics["test_loss"]
    assert scores["ema"]["loss"] == metrics["test_ema_loss"]


@pytest.mark.slow
def test_it_predicts_and_exports(clone, whole):
    image = clone / "images" / "any" / "0.png"
    printed = run(clone, "training/predict.py", "whole", image).split("[")[1].strip("]\n")
    predicted = np.array(printed.split(), float)
    run(clone, "export/saved_model.py", "whole", "--out", "models/mean_color")
    model = tf.saved_model.load(str(clone / "models" / "mean_color" / "1"))
    assert "features" not in model.signatures
    served = model.signatures["serve_bytes"](image_bytes=tf.constant([image.read_bytes()]))
    ((_, colors),) = served.items()
    np.testing.assert_allclose(colors[0], predicted, atol=2e-3)
