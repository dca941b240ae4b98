"""evaluate.py, as a user runs it."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from training import evaluate
from training.recipe import read_recipe


def test_gives_the_numbers_of_the_run(make_run, call, data_dir, tmp_path):
    folder, _ = make_run(1)
    path = tmp_path / "scores.json"
    code, printed, errors = call(
        evaluate.main, "evaluate.py", folder, "--data-dir", data_dir, "--json", path, "--classes", 3
    )
    assert code == 0, errors
    metrics = json.loads((folder / "metrics.json").read_text())
    scores = json.loads(path.read_text())
    for name, prefix in (("raw", "test_"), ("ema", "test_ema_")):
        for key in ("accuracy", "top5_accuracy", "loss"):
            # The run evaluates with deterministic operations; the last bits may differ.
            assert scores[name][key] == pytest.approx(metrics[f"{prefix}{key}"], rel=1e-6)
            assert f"{scores[name][key]:.4f}" in printed
        classes = scores[name]["classes"]
        assert sum(entry["images"] for entry in classes.values()) == 360
        accuracy = sum(entry["images"] * entry["accuracy"] for entry in classes.values()) / 360
        assert accuracy == pytest.approx(scores[name]["accuracy"])


def test_refuses_other_classes(make_run, call, tmp_path):
    (tmp_path / "cat").mkdir()
    for index in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / "cat" / f"{index}.png")
    folder, _ = make_run(1)
    code, _, errors = call(evaluate.main, "evaluate.py", folder, "--dataset", f"folder:{tmp_path}")
    assert code == 2
    assert errors == (
        f"evaluate.py: error: argument --dataset: {folder}/labels.txt has 10 lines, 0 to 9; "
        f"folder:{tmp_path} has 1 lines, cat to cat\n"
    )


def test_refuses_scales_where_the_task_has_none(make_run, call):
    folder, _ = make_run(1)
    code, _, errors = call(evaluate.main, "evaluate.py", folder, "--scales", 0.5, 1)
    assert code == 2
    assert errors == (
        "evaluate.py: error: argument --scales, --flip: the task 'classify' of the run tests "
        "images at one size\n"
    )


def test_refuses_what_is_no_run(tmp_path, call):
    (tmp_path / "model.keras").write_text("")
    for arguments, message in [
        ((tmp_path / "absent",), "argument RUN: there is no model.keras in"),
        ((tmp_path,), f"{tmp_path}/config.json is not the configuration of a run"),
        ((tmp_path, "--json", tmp_path), f"argument --json: cannot write the file {tmp_path}"),
    ]:
        code, _, errors = call(evaluate.main, "evaluate.py", *arguments)
        assert code == 2
        (line,) = errors.splitlines()
        assert line.startswith(f"evaluate.py: error: {message}")


def test_the_table_has_classes_that_only_one_network_finds(capsys):
    both, one = {"images": 3, "iou": 0.5}, {"images": 0, "iou": 0.0}
    scores = {
        "raw": {"images": 3, "miou": 0.25, "classes": {"ant": both, "bee": one}},
        "ema": {"images": 3, "miou": 0.25, "classes": {"ant": both, "cat": one}},
    }
    evaluate.print_table({"dataset": "zoo", "split": "test", "score": "iou", **scores}, rows=5)
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if any(name in line for name in ("bee", "cat"))]
    assert [row.count("0.0000") for row in rows] == [1, 1]


def test_the_table_has_the_worst_classes_first(capsys):
    classes = {
        name: {"images": 2, "mean_iou": score}
        for name, score in (("ant", 0.75), ("bee", 0.125), ("cat", 0.5))
    }
    raw = {"images": 6, "mean_iou": 0.4375, "loss": 1.5, "classes": classes}
    scores = {"dataset": "zoo", "split": "test", "score": "mean_iou", "raw": raw}
    evaluate.print_table(scores, rows=2)
    printed = capsys.readouterr().out
    assert printed.index("bee") < printed.index("cat")
    assert "ant" not in printed
    assert all(number in printed for number in ("0.4375", "1.5000", "0.1250", "0.5000"))
    assert "ema" not in printed


def test_scores_a_cascade_of_sizes(make_run, call, data_dir, tmp_path):
    folder, _ = make_run(1)
    path = tmp_path / "cascade.json"
    arguments = ("--data-dir", data_dir, "--json", path, "--cascade", 16, 24, 32)
    code, printed, errors = call(evaluate.main, "evaluate.py", folder, *arguments)
    assert code == 0, errors
    scores = json.loads(path.read_text())
    assert (scores["images"], [row["size"] for row in scores["sizes"]]) == (360, [16, 24, 32])
    accuracy = json.loads((folder / "metrics.json").read_text())["test_accuracy"]
    assert scores["sizes"][-1]["accuracy"] == pytest.approx(accuracy, abs=1 / 360)
    never = scores["curve"][-1]
    assert (never["threshold"], never["shares"]) == (1.01, [0, 0, 1])
    assert never["accuracy"] == scores["sizes"][-1]["accuracy"]
    assert never["gmacs"] == pytest.approx(sum(row["gmacs"] for row in scores["sizes"]))
    costs = [point["gmacs"] for point in scores["curve"]]
    assert costs == sorted(costs)
    assert "until 0.9" in printed
    assert f"written to {path} and {tmp_path}/cascade.png" in printed
    with Image.open(tmp_path / "cascade.png") as picture:
        assert picture.size == (840, 600)


def test_the_largest_size_of_a_cascade_is_that_of_the_images(make_run, call, data_dir, tmp_path):
    """Images of 48×48 are not those of 32×32, made larger."""
    folder, _ = make_run(1)
    path = tmp_path / "cascade.json"
    arguments = ("--data-dir", data_dir, "--json", path)
    call(evaluate.main, "evaluate.py", folder, *arguments, "--cascade", 32, 48)
    assert [row["size"] for row in json.loads(path.read_text())["sizes"]] == [32, 48]
    recipe = dataclasses.replace(read_recipe(folder), image_size=48)
    expected = evaluate.evaluate_sizes(folder, recipe, "test", data_dir, 0, [(48, None)])
    assert json.loads(path.read_text())["sizes"][1] == expected["sizes"][0]


def test_a_size_can_have_a_run_of_its_own(make_run, call, data_dir, tmp_path):
    """One that takes all images for a 0, and is never sure, leaves them to the next size."""
    folder, _ = make_run(1)
    other, path = tmp_path / "other", tmp_path / "cascade.json"
    shutil.copytree(folder, other)
    network = keras.saving.load_model(other / "model.keras", compile=False)
    classifier = network.get_layer("predictions")
    classifier.set_weights([np.zeros_like(weight) for weight in classifier.get_weights()])
    network.save(other / "model.keras")
    arguments = ("--data-dir", data_dir, "--json", path, "--cascade", f"16={other}", 32)
    code, _, errors = call(evaluate.main, "evaluate.py", folder, *arguments)
    assert code == 0, errors
    scores = json.loads(path.read_text())
    assert scores["runs"] == {"16": str(other), "32": str(folder)}
    accuracy = json.loads((folder / "metrics.json").read_text())["test_accuracy"]
    assert [row["accuracy"] for row in scores["sizes"]] == pytest.approx(
        [0.1, accuracy], abs=1 / 360
    )
    assert {tuple(point["shares"]) for point in scores["curve"]} == {(0.0, 1.0)}
    (other / "labels.txt").write_text("ant\nbee\n")
    code, _, errors = call(evaluate.main, "evaluate.py", folder, *arguments)
    assert code == 2
    assert f"argument --cascade: {other}/labels.txt has 2 lines, ant to bee; digits has" in errors
    (other / "labels.txt").unlink()
    code, _, errors = call(evaluate.main, "evaluate.py", folder, *arguments)
    assert (code, errors.count("\n")) == (2, 1)
    assert f"argument --cascade: cannot read {other}/labels.txt" in errors
    config = json.loads((other / "config.json").read_text())
    config["recipe"]["task"] = "segment"
    (other / "config.json").write_text(json.dumps(config))
    code, _, errors = call(evaluate.main, "evaluate.py", folder, *arguments)
    assert (code, errors.count("\n")) == (2, 1)
    assert f"{other} must be a run of the task 'classify'. Received: 'segment'" in errors


def test_refuses_scales_of_a_cascade(make_run, call):
    folder, _ = make_run(1)
    code, _, errors = call(evaluate.main, "evaluate.py", folder, "--cascade", 16, "--flip")
    assert code == 2
    assert errors == "evaluate.py: error: argument --cascade: not with --scales or --flip\n"


@pytest.mark.parametrize("sizes", [(32, 16), (16, 16)])
def test_refuses_sizes_that_do_not_grow(make_run, call, data_dir, sizes):
    folder, _ = make_run(1)
    arguments = ("--data-dir", data_dir, "--cascade", *sizes)
    code, _, errors = call(evaluate.main, "evaluate.py", folder, *arguments)
    assert code == 2
    assert "argument --cascade: `sizes` must grow, the smallest first" in errors
    assert not list(folder.glob("*cascade*"))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("16=absent", "there is no model.keras in absent"),
        ("small", "must be an integer, 1 or more; got 'small'"),
        ("=absent", "must be an integer, 1 or more; got ''"),
    ],
)
def test_refuses_what_is_no_size_and_no_run(make_run, call, step, message):
    folder, _ = make_run(1)
    code, _, errors = call(evaluate.main, "evaluate.py", folder, "--cascade", step)
    assert (code, errors.count("\n")) == (2, 1)
    assert f"argument --cascade: {message}" in errors
