"""The folder of a run: what is in it, and what it says."""

import csv
import dataclasses
import json
import subprocess
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pale_tf  # noqa: F401 - registers the layers
from common.preparation import evaluation_image
from tests.conftest import ROOT
from tests.training.small import RECIPE
from training.data import sources
from training.loop import run_folder
from training.loop.checkpoints import Position
from training.tasks import load_task


@pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_writes_the_folder_it_promises(make_run, replicas):
    folder, _ = make_run(replicas)
    files = {path.name for path in folder.iterdir()}
    assert files == {
        *("checkpoints", "config.json", "confusion.png", "curves.png", "examples", "history.csv"),
        *("labels.txt", "metrics.json", "model.keras", "model_ema.keras", "tensorboard"),
        *("calibration", "worst.png"),
    }
    config = json.loads((folder / "config.json").read_text())
    assert config["seed"] == 3
    assert config["replicas"] == replicas
    assert config["recipe"]["epochs"] == 2
    assert config["flags"]["strategy"] == "mirrored"
    assert config["versions"]["keras"] == keras.__version__
    assert (folder / "labels.txt").read_text().split() == list("0123456789")
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert len(rows) == 2
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert {"val_accuracy", "val_ema_accuracy", "images_per_second"} <= set(rows[0])
    for name in ("curves.png", "confusion.png", "worst.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 300
    assert len(list((folder / "checkpoints").iterdir())) == 3
    sizes = {Image.open(path).size for path in (folder / "calibration").iterdir()}
    assert sizes == {(32, 32)}
    assert len(list((folder / "calibration").iterdir())) == 64
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert config["git_revision"].startswith(head.stdout.strip())


def test_prints_where_things_are_and_a_next_command_that_works(make_run):
    folder, done = make_run(1)
    printed = done.stdout.rstrip().split("\n")
    for path in folder.iterdir():
        assert path.name == "examples" or any(path.name in line for line in printed)
    predicted = subprocess.run(
        printed[-1], shell=True, capture_output=True, text=True, cwd=folder.parents[1]
    )
    assert predicted.returncode == 0, predicted.stderr
    lines = predicted.stdout.splitlines()
    assert len(lines) == 5 * (1 + 5)
    assert all(line in printed[-1] for line in lines[::6])


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
def test_metrics_are_those_of_the_saved_networks(make_run, data_dir, replicas):
    folder, _ = make_run(replicas)
    source = sources.open_source("digits", data_dir)
    images, labels = zip(
        *(
            (evaluation_image(tf.io.decode_png(encoded), 32), label)
            for encoded, label, _ in source.read("test").as_numpy_iterator()
        ),
        strict=True,
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    for file, prefix in (("model.keras", "test_"), ("model_ema.keras", "test_ema_")):
        model = keras.saving.load_model(folder / file, compile=False)
        scores = model.predict(np.stack(images), verbose=0).astype("float64")
        accuracy = (scores.argmax(1) == labels).mean()
        assert metrics[f"{prefix}accuracy"] == pytest.approx(accuracy)
        loss = -np.log(scores[np.arange(360), labels]).mean()
        assert metrics[f"{prefix}loss"] == pytest.approx(loss, rel=1e-4)
    assert metrics["train_seconds"] > 0
    assert metrics["unreadable_images"] == 0


@pytest.mark.parametrize(("largest", "warned"), [(1, True), (255, False)])
def test_training_on_images_in_0_to_1_is_warned_of(largest, warned, tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for index in range(20):
            pixels = np.random.default_rng(index).integers(0, largest + 1, (9, 9), "uint8")
            Image.fromarray(pixels).save(tmp_path / label / f"{index}.png")
    recipe = dataclasses.replace(RECIPE, dataset=f"folder:{tmp_path}")
    source, task = sources.open_source(recipe.dataset), load_task("classify")
    run = types.SimpleNamespace(
        recipe=recipe,
        position=Position(),
        source=source,
        task=task,
        transforms=task.make_transforms(recipe, source),
    )
    lines = run_folder.introduction(run, None).splitlines()
    warning = "warning: in the first training images, no value is above 1, where 0..255 is expected"
    assert (warning in lines) == warned


def test_the_summary_of_a_task_whose_score_is_its_loss(tmp_path):
    """Without averages, pictures of its own and examples: nothing is promised that is not there."""
    (tmp_path / "metrics.json").write_text('{"test_loss": 1.25, "train_seconds": 7.4}')
    (tmp_path / "maps.png").touch()
    task = dataclasses.replace(
        load_task("classify"), score="loss", contents={"maps.png": "maps", "absent.png": "nothing"}
    )
    lines = run_folder.summary(tmp_path, task).splitlines()
    assert lines[1] == "test loss 1.2500, trained in 7 s"
    assert [line.split()[0] for line in lines[3:]] == [
        f"{tmp_path}/metrics.json",
        f"{tmp_path}/maps.png",
    ]


def test_git_revision_is_the_commit(monkeypatch, tmp_path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    revision = run_folder.git_revision()
    assert revision.removesuffix("-dirty") == head.stdout.strip()
    monkeypatch.setattr(run_folder, "PROGRAMS", tmp_path)
    assert run_folder.git_revision() is None
