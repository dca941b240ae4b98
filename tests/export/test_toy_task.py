"""A task that is one new file, for networks without backbone and labels, goes through export."""

import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from tests.export.encoding import encode, picture
from tests.export.server import Model, grpc_server, rest_server

MEAN_COLOR = '''"""Networks that give the mean color of an image."""

from export.tasks import Task


def lines(answer):
    return [f"{value:.1f}" for value in answer["outputs"]]


TASK = Task(lines=lines)
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the programs with the task."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("common", "export", "pale_tf"):
        ignored = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    (tree / "export" / "tasks" / "mean_color.py").write_text(MEAN_COLOR)
    return tree


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with a network that is right."""
    folder = tmp_path_factory.mktemp("run")
    image = keras.Input((16, 16, 3))
    dense = keras.layers.Dense(3)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    network = keras.Model(image, dense(x), name="toy")
    dense.set_weights([255 * np.eye(3), np.zeros(3)])
    network.save(folder / "model.keras")
    recipe = {"task": "mean_color", "dataset": "colors", "settings": {}}
    (folder / "config.json").write_text(json.dumps({"recipe": recipe, "seed": 1}))
    return folder


@pytest.fixture(scope="module")
def start(tree):
    def start(program, *arguments):
        command = [sys.executable, str(tree / program), *map(str, arguments)]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tree, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return start


@pytest.fixture(scope="module")
def version(start, run, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "colors"
    assert "serving_default" in start("export/saved_model.py", run, "--out", out)
    return out / "1"


def test_signatures_give_the_outputs(version):
    signatures = tf.saved_model.load(str(version)).signatures
    assert set(signatures) == {"serving_default", "serve_bytes", "serving_xla"}
    images = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")
    outputs = signatures["serving_default"](images=tf.constant(images))["outputs"]
    np.testing.assert_allclose(outputs, images.mean(axis=(1, 2)), rtol=1e-5)
    square = picture(0, 16, 16)
    outputs = signatures["serve_bytes"](image_bytes=tf.constant([encode(square, "PNG")]))["outputs"]
    np.testing.assert_allclose(outputs[0], np.asarray(square).mean(axis=(0, 1)), rtol=1e-5)


def test_card_and_verification_know_the_task(version):
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert (card["task"], card["verification"]["task"]) == ("mean_color", "mean_color")
    assert not (version / "assets.extra" / "labels.txt").exists()
    assert card["verification"]["missed"] == []
    assert card["verification"]["signatures"]["serving_default"]["error"] < 1e-4


@pytest.mark.parametrize("serve", [grpc_server, rest_server])
def test_the_client_prints_its_lines(start, version, serve, tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encode(picture(0, 16, 16), "PNG"))
    with serve(Model(version, "colors")) as host:
        flags = ["--protocol", serve.__name__.removesuffix("_server"), "--host", host]
        printed = start(
            "export/client.py", *flags, "--model", "colors", "--task", "mean_color", path
        )
    name, *values = printed.split()
    assert name == str(path)
    expected = np.asarray(picture(0, 16, 16)).mean(axis=(0, 1))
    np.testing.assert_allclose([float(value) for value in values], expected, atol=0.051)


@pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "dynamic"])
def test_exports_to_litert(start, run, precision, tmp_path):
    file = tmp_path / "colors.tflite"
    printed = start("export/tflite.py", run, "--precision", precision, "--out", file)
    assert f"{precision}, " in printed
    assert file.exists()
