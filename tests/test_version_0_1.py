"""Files that version 0.1 wrote load, and give the numbers that it computed."""

import csv
import dataclasses
import pathlib
import shutil

import keras
import numpy as np
import pytest

from common.files import read_json
from common.trained import load_network, load_trained
from pale_tf import PaleConfig, fuse, pale_network
from pale_tf.configs import NETWORKS
from training import evaluate, fit
from training.loop.run import train
from training.recipe import read_recipe
from training.tasks.classify import Settings

RUN = pathlib.Path(__file__).parent / "data" / "run_of_0_1"
CONFIG = PaleConfig("small", 4, (1, 1, 1, 1), (2, 2, 2, 2), pale_size=2, drop_path_rate=0.1)
IMAGES = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")


@pytest.fixture(scope="module")
def outputs():
    """Probabilities that version 0.1 computed from `IMAGES`."""
    with np.load(RUN / "outputs.npz") as file:
        return dict(file)


@pytest.mark.parametrize(("file", "key"), [("model.keras", "raw"), ("model_ema.keras", "ema")])
def test_networks_give_the_same_numbers(outputs, file, key):
    network = load_network(RUN / file)
    np.testing.assert_allclose(network.predict(IMAGES, verbose=0), outputs[key], atol=1e-5)


def test_the_inference_form_gives_the_same_numbers(outputs):
    fused = fuse(load_network(RUN / "model.keras"))
    np.testing.assert_allclose(fused.predict(IMAGES, verbose=0), outputs["fused"], atol=1e-5)


@pytest.mark.parametrize("file", ["small.weights.h5", "model.keras"])
def test_weights_files_give_the_same_numbers(outputs, file):
    network = pale_network(CONFIG, input_shape=(32, 32, 3), classes=10, weights=RUN / file)
    np.testing.assert_allclose(network.predict(IMAGES, verbose=0), outputs["raw"], atol=1e-5)


def test_the_configuration_is_read():
    recipe = read_recipe(RUN)
    assert (recipe.task, recipe.dataset, recipe.model) == ("classify", "digits", "pale_n")
    assert Settings(**recipe.settings) == Settings(
        label_smoothing=0.1, rotation=15.0, translation=0.1, zoom=0.1
    )
    trained = load_trained(RUN)
    assert trained.labels == list("0123456789")
    assert trained.recipe["settings"]["crop_fraction"] == 1.0


def test_evaluation_gives_the_same_scores(data_dir):
    expected = read_json(RUN / "metrics.json")
    scores = evaluate.evaluate(RUN, read_recipe(RUN), "test", data_dir)
    for name, prefix in (("raw", "test_"), ("ema", "test_ema_")):
        for key in ("accuracy", "top5_accuracy", "loss"):
            assert scores[name][key] == pytest.approx(expected[f"{prefix}{key}"], abs=3e-3)


@pytest.mark.slow
def test_a_run_goes_on_from_its_checkpoint(data_dir, tmp_path, monkeypatch, capsys):
    """Its second epoch begins with what the first one learned. Images move otherwise since."""
    keras.backend.clear_session()  # names of variables are counted, from 0 in a new process
    monkeypatch.setitem(NETWORKS, "pale_n", CONFIG)
    out = tmp_path / "run"
    shutil.copytree(RUN, out)
    flags = fit.make_parser().parse_args(
        ["--out", str(out), "--resume", "--data-dir", str(data_dir)]
    )
    recipe, settings = fit.choose(flags)
    assert settings.seed == 5
    train(recipe, dataclasses.replace(settings, keep_checkpoints=1))
    assert "going on after 1 epochs and 0 steps" in capsys.readouterr().out
    histories = [list(csv.DictReader((folder / "history.csv").open())) for folder in (RUN, out)]
    assert histories[0][0] == histories[1][0]
    first, second = ({name: float(x) for name, x in row.items()} for row in histories[1])
    for name in ("loss", "val_loss", "val_ema_loss"):
        assert second[name] < first[name], name
    assert second["val_accuracy"] > first["val_accuracy"] > 0.5
