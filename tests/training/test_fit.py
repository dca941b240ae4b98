"""fit.py and predict.py, as a user runs them."""

import csv
import json
import subprocess

import keras
import numpy as np
import pytest
from PIL import Image

import pale_tf  # noqa: F401 - registers the layers
from tests.training.conftest import ROOT
from training import data, fit
from training.recipe import load_recipe


@pytest.fixture(scope="module", params=[1, 2], ids=["one replica", "two replicas"])
def run(request, program, data_dir, tmp_path_factory):
    """A run of two epochs: its folder, the finished process, and the number of replicas."""
    cwd = tmp_path_factory.mktemp("cwd")
    done = program(
        "training/fit.py",
        *("--strategy", "mirrored", "--epochs", 2, "--seed", 3, "--data-dir", data_dir),
        *("--out", "runs/first", "--cpu-replicas", request.param),
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    return cwd / "runs" / "first", done, request.param


def test_writes_the_folder_it_promises(run):
    folder, _, replicas = run
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "config.json",
        "curves.png",
        "examples",
        "history.csv",
        "labels.txt",
        "metrics.json",
        "model.keras",
        "tensorboard",
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
    with Image.open(folder / "curves.png") as picture:
        assert min(picture.size) > 300
    assert list((folder / "tensorboard").glob("*/events*"))
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert config["git_revision"].startswith(head.stdout.strip())


def test_prints_where_things_are_and_a_next_command_that_works(run):
    folder, done, _ = run
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


def test_metrics_are_those_of_the_saved_model(run, data_dir):
    folder, _, _ = run
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    recipe = load_recipe("digits")
    splits, _ = data.load_splits(recipe, data_dir)
    test = data.evaluation_batches(splits["test"], recipe)
    images, labels = next(iter(test.unbatch().batch(360)))
    scores = model.predict(images, verbose=0).astype("float64")
    metrics = json.loads((folder / "metrics.json").read_text())
    labels = labels.numpy()
    assert metrics["test_accuracy"] == pytest.approx((scores.argmax(1) == labels).mean())
    loss = -np.log(scores[np.arange(360), labels]).mean()
    assert metrics["test_loss"] == pytest.approx(loss, rel=1e-4)
    assert metrics["train_seconds"] > 0


def test_predicts_any_image_file(run, program, tmp_path):
    folder, _, _ = run
    grey = Image.open(next((folder / "examples").iterdir())).convert("L")
    grey.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    grey.convert("P").save(tmp_path / "palette.gif")
    grey.convert("RGBA").save(tmp_path / "alpha.webp", lossless=True)
    Image.fromarray(np.asarray(grey).astype("uint16") * 257).save(tmp_path / "sixteen bits.png")
    grey.resize((300, 200)).save(tmp_path / "wide.bmp")
    paths = sorted(tmp_path.iterdir())
    done = program("training/predict.py", folder, *paths)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[::6] == [str(path) for path in paths]
    best = dict(zip((path.name for path in paths), lines[1::6], strict=True))
    assert best["alpha.webp"] == best["palette.gif"] == best["sixteen bits.png"]
    for start in range(1, len(lines), 6):
        scores = [float(line.split("%")[0]) for line in lines[start : start + 5]]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", "unknown"], "argument --recipe: invalid choice: 'unknown'"),
        (["--model", "resnet"], "argument --model: invalid choice: 'resnet'"),
        (["--strategy", "tpu"], "argument --strategy: invalid choice: 'tpu'"),
        (["--precision", "float8"], "argument --precision: invalid choice: 'float8'"),
        (["--epochs", "0"], "argument --epochs: must be an integer, 1 or more; got '0'"),
        (["--batch-size", "x"], "argument --batch-size: must be an integer, 1 or more; got 'x'"),
        (["--batch-size", "1258"], "`batch_size` must be at most 1257, the number of training"),
        (["--seed", "-1"], "argument --seed: must be an integer, in 0..4294967295; got '-1'"),
        (["--out", "/dev/null/x"], "argument --out: cannot make the folder /dev/null/x"),
        (["--data-dir", "/dev/null/x"], "argument --data-dir: cannot make the folder /dev/null/x"),
        (["--cpu-replicas", "2"], "argument --cpu-replicas: needs --strategy mirrored"),
        (["--lr", "1"], "unrecognized arguments: --lr 1"),
    ],
)
def test_bad_flags(program, data_dir, tmp_path, flags, message):
    if "--out" not in flags:
        flags = [*flags, "--out", tmp_path / "out"]
    if "--data-dir" not in flags:
        flags = [*flags, "--data-dir", data_dir]
    done = program("training/fit.py", *flags)
    assert done.returncode == 2
    assert f"fit.py: error: {message}" in done.stderr.splitlines()[-1]
    if "1258" not in flags:  # the one that needs TensorFlow, which is not silent
        assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
    assert not (tmp_path / "out").exists()


def test_a_used_folder_is_refused_and_left_alone(program, tmp_path):
    (tmp_path / "precious").write_text("kept")
    done = program("training/fit.py", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"fit.py: error: argument --out: the folder {tmp_path} is not empty\n"
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_predict_refuses_a_network_that_it_cannot_load(program, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    for name in ("model.keras", "labels.txt"):
        (tmp_path / name).write_text("")
    done = program("training/predict.py", tmp_path, tmp_path / "grey.png")
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"predict.py: error: argument RUN: cannot load {tmp_path}/model.keras")


def test_predict_refuses_what_is_no_image_or_no_run(program, tmp_path):
    for name in ("model.keras", "labels.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "note.png").write_text("not an image")
    for arguments, message in [
        ((tmp_path, tmp_path / "note.png"), f"argument IMAGE: cannot read {tmp_path}/note.png"),
        ((tmp_path, tmp_path / "absent.png"), "argument IMAGE: cannot read"),
        ((tmp_path, tmp_path), "argument IMAGE: cannot read"),
        ((tmp_path / "absent", tmp_path / "note.png"), "argument RUN: there is no model.keras in"),
        ((tmp_path,), "the following arguments are required: IMAGE"),
    ]:
        done = program("training/predict.py", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"predict.py: error: {message}")
        assert len(done.stderr.splitlines()) == 1


def test_help_explains_every_flag_and_its_default():
    actions = [action for action in fit.make_parser()._actions if action.dest != "help"]
    flags = {action.option_strings[0] for action in actions}
    assert flags == {
        *("--recipe", "--model", "--strategy", "--epochs", "--batch-size", "--precision"),
        *("--seed", "--out", "--data-dir", "--cpu-replicas"),
    }
    assert all("(default: " in action.help for action in actions)


@pytest.mark.parametrize(
    ("strategy", "precision"), [("none", "mixed_bfloat16"), ("mirrored", "mixed_float16")]
)
def test_mixed_precision(program, data_dir, tmp_path, strategy, precision):
    done = program(
        "training/fit.py",
        *("--strategy", strategy, "--precision", precision, "--epochs", 1),
        *("--out", tmp_path / "out", "--data-dir", data_dir),
    )
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader((tmp_path / "out" / "history.csv").open())
    assert float(row["loss"]) < 2.5
    model = keras.saving.load_model(tmp_path / "out" / "model.keras", compile=False)
    assert model.get_layer("stage1_block1_mlp").dtype_policy.name == precision
    assert model.output.dtype == "float32"


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_main_job_reaches_its_accuracy(program, data_dir, tmp_path, seed, replicas):
    done = program(
        "training/fit.py",
        *("--strategy", "mirrored", "--seed", seed, "--cpu-replicas", replicas),
        *("--out", tmp_path / "out", "--data-dir", data_dir),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["test_accuracy"] >= 0.98
