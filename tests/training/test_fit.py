"""fit.py, as a user runs it: flags, and whole runs."""

import csv
import dataclasses
import json
import sys

import keras
import pytest

from common.errors import SettingError
from common.locks import locked
from training import fit
from training.data.sources import open_source
from training.recipe import load_recipe


@pytest.fixture(scope="module")
def made_data(data_dir):
    """The folder of data sets, with the digits in it: making them prints a line."""
    open_source("digits", data_dir)
    return data_dir


def assert_refused(code, output, errors, message, out):
    assert code == 2
    assert errors.startswith(f"fit.py: error: {message}")
    assert len(errors.splitlines()) == 1
    assert not output
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", "unknown"], "argument --recipe: invalid choice: 'unknown'"),
        (["--model", "resnet"], "argument --model: must be one of pale_n, "),
        (["--attention", "full"], "argument --attention: must be one of pale, pale_vanilla, "),
        (["--options", "share"], "argument --options: must be NAME=VALUE; got 'share'"),
        (["--options", "share=2"], "argument --options: `options` must be some of ['attention_"),
        (["--options", "sparsity=-1"], "argument --options: `sparsity` must be 0 or positive"),
        (["--strategy", "tpu"], "argument --strategy: invalid choice: 'tpu'"),
        (["--precision", "float8"], "argument --precision: invalid choice: 'float8'"),
        (["--epochs", "0"], "argument --epochs: must be an integer, 1 or more; got '0'"),
        (["--batch-size", "x"], "argument --batch-size: must be an integer, 1 or more; got 'x'"),
        (["--weights", "/absent"], "argument --weights: there is no /absent"),
        (["--max-unreadable", "-1"], "argument --max-unreadable: must be an integer, 0 or more"),
        (["--seed", "-1"], "argument --seed: must be an integer, in 0..4294967295; got '-1'"),
        (["--out", "/dev/null/x"], "argument --out: cannot make the folder /dev/null/x"),
        (["--data-dir", "/dev/null/x"], "argument --data-dir: cannot make the folder /dev/null/x"),
        (["--cpu-replicas", "2"], "argument --cpu-replicas: needs --strategy mirrored"),
        (
            ["--strategy", "multi_worker", "--steps-per-execution", "2"],
            "argument --steps-per-execution: must be 1 with --strategy multi_worker",
        ),
        (["--freeze", "0"], "argument --freeze: invalid choice: 0"),
        (
            ["--layer-decay", "0"],
            "argument --layer-decay: must be a number above 0, at most 1; got '0'",
        ),
        (["--layer-decay", "2"], "argument --layer-decay: must be a number above 0, at most 1"),
        (["--jit", "--teacher", "x"], "argument --jit: XLA does not compile what scales images"),
        (["--rematerialize", "5"], "argument --rematerialize: invalid choice: 5"),
        (
            ["--jit", "--strategy", "mirrored", "--precision", "mixed_float16"],
            "argument --jit: TensorFlow crashes under a strategy with mixed_float16",
        ),
        (["--lr", "1"], "unrecognized arguments: --lr 1"),
    ],
)
def test_flags_that_are_wrong_by_themselves(monkeypatch, capsys, tmp_path, flags, message):
    monkeypatch.setattr(sys, "argv", ["fit.py"])  # the name of the program
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        fit.main([*([] if "--out" in flags else ["--out", str(out)]), *flags])
    assert_refused(ended.value.code, *capsys.readouterr(), message, out)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--batch-size", "1258"], "`batch_size` must be at most 1257, the number of training"),
        pytest.param(
            ["--batch-size", "30", "--accumulate", "4"],
            "`batch_size` must be divisible by 4: 1",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["--dataset", "mnist"],
            "`dataset` must be digits, imagenet2012, folder:PATH or tfds:NAME",
            marks=pytest.mark.slow,
        ),
        (["--strategy", "multi_worker"], "argument --strategy: multi_worker needs the environment"),
    ],
)
def test_flags_that_do_not_fit_data_or_machine(program, made_data, tmp_path, flags, message):
    out = tmp_path / "out"
    done = program("training/fit.py", "--out", out, "--data-dir", made_data, *flags)
    assert_refused(done.returncode, done.stdout, done.stderr, message, out)


def test_a_used_folder_is_refused_and_left_alone(program, tmp_path):
    (tmp_path / "precious").write_text("kept")
    done = program("training/fit.py", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"fit.py: error: argument --out: the folder {tmp_path} is not empty (--resume goes on with "
        "its run)\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("flags", [(), ("--resume",)])
def test_two_runs_in_one_folder_are_refused(program, tmp_path, flags):
    with locked(tmp_path, "--out"):
        done = program("training/fit.py", "--out", tmp_path, *flags)
    assert done.returncode == 2
    assert done.stderr == (
        f"fit.py: error: argument --out: another process is writing to {tmp_path}; wait for it, or "
        "choose another path\n"
    )
    assert list(tmp_path.iterdir()) == []


def choose(*flags):
    return fit.choose(fit.make_parser().parse_args(list(map(str, flags))))


def test_flags_override_the_recipe():
    recipe, settings = choose("--epochs", 7, "--attention", "shifted_window", "--model", "swin_t")
    expected = dataclasses.replace(
        load_recipe("digits"), epochs=7, attention="shifted_window", model="swin_t"
    )
    assert recipe == expected
    assert settings.recipe == "digits"
    assert str(settings.out).startswith("runs/digits-")


def test_options_are_added_to_those_of_the_run_that_it_starts_from(tmp_path):
    start, out = tmp_path / "start", tmp_path / "out"
    for folder in (start, out):
        folder.mkdir()
    recipe = dataclasses.replace(load_recipe("digits"), options={"mlp_ratio": 2, "sparsity": 0.1})
    config = {"recipe": dataclasses.asdict(recipe), "seed": 0, "flags": {"recipe": "digits"}}
    (start / "config.json").write_text(json.dumps(config))
    (start / "model.keras").write_text("")
    flags = ("--weights", start, "--options", "sparsity=0", "share_attention=2")
    found, _ = choose(*flags, "--out", tmp_path / "new")
    assert found.options == {"mlp_ratio": 2, "sparsity": 0, "share_attention": 2}
    # The same command goes on with the run that it has begun.
    given = {"recipe": "digits", "weights": str(start / "model.keras")}
    config = {"recipe": dataclasses.asdict(found), "seed": 0, "flags": given}
    (out / "config.json").write_text(json.dumps(config))
    again, _ = choose(*flags, "--out", out, "--resume")
    assert again == found


def test_a_run_that_goes_on_keeps_its_weights(tmp_path):
    """Even if it was killed before its first checkpoint."""
    weights = tmp_path / "start.weights.h5"
    weights.write_text("")
    run = tmp_path / "run"
    run.mkdir()
    recipe = dataclasses.replace(load_recipe("folder"), epochs=3)
    flags = {"weights": str(weights), "recipe": "folder"}
    config = {"recipe": dataclasses.asdict(recipe), "seed": 4, "flags": flags}
    (run / "config.json").write_text(json.dumps(config))
    found, settings = choose("--out", run, "--resume", "--keep-checkpoints", 5)
    assert found == recipe
    assert (settings.seed, settings.weights, settings.recipe) == (4, weights, "folder")
    assert (settings.out, settings.keep_checkpoints) == (run, 5)
    other = tmp_path / "other.weights.h5"
    other.write_text("")
    with pytest.raises(SettingError, match=f"--weights: the run in .* has {weights}"):
        choose("--out", run, "--resume", "--weights", other)
    with pytest.raises(SettingError, match=r"--options: the run in .* goes on with it"):
        choose("--out", run, "--resume", "--options", "mlp_ratio=2")
    with pytest.raises(SettingError, match=r"--image-size: the run in .* has 128, .* Received: 64"):
        choose("--out", run, "--resume", "--image-size", 64)


def test_resume_needs_a_run(program, tmp_path):
    done = program("training/fit.py", "--resume")
    assert done.stderr == "fit.py: error: argument --resume: needs --out, the folder of the run\n"
    (tmp_path / "precious").write_text("kept")
    done = program("training/fit.py", "--resume", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"fit.py: error: argument --resume: the folder {tmp_path} holds no run\n"
    )


def test_help_explains_every_flag_and_its_default():
    actions = [action for action in fit.make_parser()._actions if action.dest != "help"]
    flags = {action.option_strings[0] for action in actions}
    assert flags == {
        *("--recipe", "--dataset", "--model", "--attention", "--options", "--strategy"),
        "--epochs",
        *("--batch-size", "--accumulate", "--image-size", "--precision", "--weights", "--seed"),
        *("--out", "--resume", "--data-dir", "--checkpoint-every", "--keep-checkpoints"),
        *("--max-unreadable", "--cpu-replicas", "--wait"),
        *("--jit", "--rematerialize", "--steps-per-execution"),
        *("--freeze", "--layer-decay", "--learning-rate", "--teacher"),
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
