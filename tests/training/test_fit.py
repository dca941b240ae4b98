"""fit.py and predict.py, as a user runs them."""

import csv
import dataclasses
import json
import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pale_tf  # noqa: F401 - registers the layers
from common.errors import SettingError
from common.preparation import evaluation_image
from tests.conftest import ROOT
from training import fit
from training.data import sources
from training.recipe import load_recipe

REPLICAS = [1, pytest.param(2, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def run(make_run):
    """A run on one replica: its folder, and the finished process."""
    return make_run(1)


@pytest.mark.parametrize("replicas", REPLICAS)
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


def test_prints_where_things_are_and_a_next_command_that_works(run):
    folder, done = run
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


@pytest.mark.parametrize("replicas", REPLICAS)
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


def test_tensorboard_has_steps_epochs_and_samples(run):
    folder, _ = run
    values, images = {}, 0
    for path in (folder / "tensorboard").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "images":
                    images += len(value.tensor.string_val) - 2  # width and height come first
                else:
                    values.setdefault(value.tag, {})[event.step] = float(
                        tf.make_ndarray(value.tensor)
                    )
    assert images == 16
    names = ("loss", "gradient_norm", "learning_rate", "images_per_second")
    for name in names:
        assert set(values[f"step/{name}"]) == {20}
    # Warm-up over half of the 38 steps, to 2e-3 times the batch's 64/64; then cosine.
    expected = 1e-3 * (1 + np.cos(np.pi * (19 - 19) / 19))
    assert values["step/learning_rate"][20] == pytest.approx(expected, rel=1e-5)
    rows = list(csv.DictReader((folder / "history.csv").open()))
    for name in ("loss", "val_accuracy", "val_ema_loss"):
        logged = [values[f"epoch/{name}"][step] for step in (19, 38)]
        assert logged == pytest.approx([float(row[name]) for row in rows], rel=1e-6)


def test_evaluate_gives_the_numbers_of_the_run(run, program, data_dir, tmp_path):
    folder, _ = run
    path = tmp_path / "scores.json"
    done = program(
        "training/evaluate.py", folder, "--data-dir", data_dir, "--json", path, "--classes", 3
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((folder / "metrics.json").read_text())
    scores = json.loads(path.read_text())
    for name, prefix in (("raw", "test_"), ("ema", "test_ema_")):
        for key in ("accuracy", "top5_accuracy", "loss"):
            assert scores[name][key] == metrics[f"{prefix}{key}"]
            assert f"{scores[name][key]:.4f}" in done.stdout
        classes = scores[name]["classes"]
        assert sum(entry["images"] for entry in classes.values()) == 360
        accuracy = sum(entry["images"] * entry["accuracy"] for entry in classes.values()) / 360
        assert accuracy == pytest.approx(scores[name]["accuracy"])


def test_evaluate_refuses_other_classes(run, program, tmp_path):
    (tmp_path / "cat").mkdir()
    for index in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / "cat" / f"{index}.png")
    done = program("training/evaluate.py", run[0], "--dataset", f"folder:{tmp_path}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "evaluate.py: error: argument --dataset: the run has 10 classes, 0 to 9; "
        f"folder:{tmp_path} has 1, cat to cat"
    )


def test_predicts_any_image_file(run, program, tmp_path):
    folder, _ = run
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
        (["--batch-size", "30", "--accumulate", "4"], "`batch_size` must be divisible by 4: 1"),
        (
            ["--dataset", "mnist"],
            "`dataset` must be digits, imagenet2012, folder:PATH or tfds:NAME",
        ),
        (["--weights", "/absent"], "argument --weights: there is no /absent"),
        (["--max-unreadable", "-1"], "argument --max-unreadable: must be an integer, 0 or more"),
        (["--strategy", "multi_worker"], "argument --strategy: multi_worker needs the environment"),
        (["--seed", "-1"], "argument --seed: must be an integer, in 0..4294967295; got '-1'"),
        (["--out", "/dev/null/x"], "argument --out: cannot make the folder /dev/null/x"),
        (["--data-dir", "/dev/null/x"], "argument --data-dir: cannot make the folder /dev/null/x"),
        (["--cpu-replicas", "2"], "argument --cpu-replicas: needs --strategy mirrored"),
        (
            ["--strategy", "multi_worker", "--steps-per-execution", "2"],
            "argument --steps-per-execution: must be 1 with --strategy multi_worker",
        ),
        (["--rematerialize", "5"], "argument --rematerialize: invalid choice: 5"),
        (
            ["--jit", "--strategy", "mirrored", "--precision", "mixed_float16"],
            "argument --jit: TensorFlow crashes under a strategy with mixed_float16",
        ),
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
    if "`" not in message:  # those need TensorFlow, which is not silent
        assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
    assert not (tmp_path / "out").exists()


def test_a_used_folder_is_refused_and_left_alone(program, tmp_path):
    (tmp_path / "precious").write_text("kept")
    done = program("training/fit.py", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"fit.py: error: argument --out: the folder {tmp_path} is not empty (--resume goes on with "
        "its run)\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_run_that_goes_on_keeps_its_weights(tmp_path):
    """Even if it was killed before its first checkpoint."""
    weights = tmp_path / "start.weights.h5"
    weights.write_text("")
    (tmp_path / "run").mkdir()
    recipe = dataclasses.asdict(load_recipe("digits"))
    config = {"recipe": recipe, "seed": 4, "flags": {"weights": str(weights)}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    parse = fit.make_parser().parse_args
    flags = parse(["--out", str(tmp_path / "run"), "--resume"])
    fit.choose_recipe(flags)
    assert (flags.seed, flags.weights) == (4, weights)
    other = tmp_path / "other.weights.h5"
    other.write_text("")
    flags = parse(["--out", str(tmp_path / "run"), "--resume", "--weights", str(other)])
    with pytest.raises(SettingError, match=f"--weights: the run in .* has {weights}"):
        fit.choose_recipe(flags)


def test_resume_needs_a_run(program, tmp_path):
    done = program("training/fit.py", "--resume")
    assert done.stderr == "fit.py: error: argument --resume: needs --out, the folder of the run\n"
    (tmp_path / "precious").write_text("kept")
    done = program("training/fit.py", "--resume", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"fit.py: error: argument --resume: the folder {tmp_path} holds no run\n"
    )


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
        *("--recipe", "--dataset", "--model", "--strategy", "--epochs", "--batch-size"),
        *("--accumulate", "--image-size", "--precision", "--weights", "--seed", "--out"),
        *("--resume", "--data-dir", "--checkpoint-every", "--keep-checkpoints"),
        *("--max-unreadable", "--cpu-replicas"),
        *("--jit", "--rematerialize", "--steps-per-execution"),
    }
    assert all("(default: " in action.help for action in actions)


@pytest.mark.slow
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
    assert metrics["test_accuracy"] >= 0.985
