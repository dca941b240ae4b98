"""convert.py: a run of somebody else's checkpoint, for all other programs."""

import json

import numpy as np
import pytest
from PIL import Image

from common.trained import load_trained
from pale_tf import load_pretrained
from tests.conftest import ROOT
from tests.pale_tf.swin_files import CONFIG, swin_tensors, write_checkpoint
from training import convert, predict
from training.fit import choose, make_parser
from training.recipe import read_recipe

RECORDED = ROOT / "tests" / "data" / "swin_of_transformers"


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A run of a checkpoint with three classes, and the checkpoint."""
    folder = tmp_path_factory.mktemp("converted")
    checkpoint = write_checkpoint(folder / "checkpoint", preprocessor={"crop_pct": 0.875})
    convert.main([str(checkpoint), "--out", str(folder / "run")])
    return folder / "run", checkpoint


def test_a_run_holds_what_the_checkpoint_tells(converted):
    run, checkpoint = converted
    trained, network = load_trained(run), load_pretrained(checkpoint)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    np.testing.assert_array_equal(trained.network(images), network(images))
    assert trained.labels == ["cat", "dog", "sea, calm"]
    recipe = read_recipe(run)
    assert recipe.settings == {"crop_fraction": 0.875}
    assert recipe.model.attention_options == {"window_size": 4, "padding": "swin"}
    assert json.loads((run / "config.json").read_text())["checkpoint"] == str(checkpoint)
    assert {path.name for path in run.iterdir()} == {"model.keras", "labels.txt", "config.json"}


def test_predict_takes_it(converted, call, tmp_path):
    Image.new("RGB", (70, 80), "teal").save(tmp_path / "teal.png")
    code, printed, errors = call(predict.main, "predict.py", converted[0], tmp_path / "teal.png")
    assert code == 0, errors
    assert "sea, calm" in printed


def test_a_run_that_starts_from_it_has_its_network(converted, tmp_path):
    run = converted[0]
    flags = ["--recipe", "folder", "--weights", str(run), "--out", str(tmp_path / "out")]
    recipe, settings = choose(make_parser().parse_args(flags))
    assert recipe.model == read_recipe(run).model
    assert (recipe.image_size, recipe.epochs) == (128, 100)  # the recipe's own
    assert settings.weights == run / "model.keras"
    recipe, _ = choose(make_parser().parse_args([*flags, "--model", "swin_t"]))
    assert recipe.model == "swin_t"


def test_a_segmenter_that_starts_from_another_has_its_head(tmp_path):
    recipe = {
        "task": "segment",
        "dataset": "none",
        "model": "swin_t",
        "image_size": 512,
        "epochs": 0,
        "batch_size": 1,
        "learning_rate": 0,
        "base_batch_size": 1,
        "warmup_epochs": 0,
        "weight_decay": 0,
        "settings": {"channels": 48, "output_norms": True, "short_side": 512, "auxiliary": False},
    }
    (tmp_path / "config.json").write_text(json.dumps({"recipe": recipe}))
    (tmp_path / "model.keras").write_text("")
    flags = make_parser().parse_args(["--recipe", "segment_folder", "--weights", str(tmp_path)])
    found, _ = choose(flags)
    assert (found.settings["channels"], found.settings["output_norms"]) == (48, True)
    assert found.settings["short_side"] == 224
    assert "auxiliary" not in found.settings
    del recipe["settings"]["channels"]  # the task's own, not that of the recipe
    (tmp_path / "config.json").write_text(json.dumps({"recipe": recipe}))
    found, _ = choose(flags)
    assert found.settings["channels"] == 512
    other = make_parser().parse_args(["--recipe", "folder", "--weights", str(tmp_path)])
    found, _ = choose(other)
    assert "channels" not in found.settings
    assert found.model == "swin_t"
    (tmp_path / "config.json").write_text('{"model_type": "swin"}')  # no run's
    assert choose(other)[0].model == "pale_n"
    words = ["--recipe", "segment_folder", "--model", "pale_t", "--weights", str(tmp_path)]
    (tmp_path / "config.json").write_text(json.dumps({"recipe": recipe}))
    named, _ = choose(make_parser().parse_args(words))
    assert (named.model, named.settings["channels"]) == ("pale_t", 128)


def refused(call, checkpoint, out):
    code, printed, errors = call(convert.main, "convert.py", checkpoint, "--out", out)
    assert code == 2
    assert printed == ""
    (line,) = [line for line in errors.splitlines() if line.startswith("convert.py: error: ")]
    assert errors.endswith(f"{line}\n")
    return line.removeprefix("convert.py: error: ")


def test_bad_checkpoints_are_one_line_and_leave_nothing(call, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"x")
    assert "only the pickle pytorch_model.bin" in refused(call, tmp_path / "pickled", out)
    tensors = swin_tensors()
    del tensors["classifier.bias"]
    missing = write_checkpoint(tmp_path / "missing", tensors)
    line = refused(call, missing, out)
    assert line.startswith("argument CHECKPOINT must have the tensors of its configuration.")
    assert line.endswith("the first: predictions/bias is missing")
    features = {k.removeprefix("swin."): v for k, v in swin_tensors().items() if k[0] != "c"}
    config = {**CONFIG, "architectures": ["SwinModel"]}
    features = write_checkpoint(tmp_path / "features", features, config)
    assert "has no classifier" in refused(call, features, out)
    other = write_checkpoint(tmp_path / "other", preprocessor={"image_mean": [0.5, 0.5, 0.5]})
    assert "must normalize images by ImageNet's mean" in refused(call, other, out)
    broken = {**CONFIG, "id2label": {"0": "a", "1": "b\nc", "2": ""}}
    broken = write_checkpoint(tmp_path / "broken", config=broken)
    assert "a class must be named by one line of text" in refused(call, broken, out)
    wide = write_checkpoint(tmp_path / "wide", preprocessor={"size": [64, 128]})
    assert "must take square images" in refused(call, wide, out)
    assert not out.exists()


def test_a_run_that_cannot_be_written_leaves_nothing(call, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras.Model.save", fail)
    out = tmp_path / "out"
    code, _, errors = call(convert.main, "convert.py", RECORDED, "--out", out)
    assert code == 4
    assert errors.splitlines()[-1].endswith("model.keras: No space left on device")
    assert not out.exists()


def test_a_folder_in_use_is_refused(call, tmp_path):
    (tmp_path / "precious").write_text("kept")
    assert refused(call, RECORDED, tmp_path) == (
        f"argument --out: {tmp_path} is not a new or an empty folder"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
