"""prune.py: a smaller run out of one with scores, for all other programs."""

import dataclasses
import json

import numpy as np
import pytest

from common.errors import SettingError
from common.trained import load_trained
from pale_tf import PaleConfig, pale_network, prune
from tests.pale_tf.layers.checks import randomize
from training import prune as program
from training.fit import choose, make_parser
from training.new_runs import write_run
from training.recipe import load_recipe, read_recipe
from training.tasks import network_config

MODEL = PaleConfig("mine", 16, (1, 1, 2, 1), (2, 4, 8, 16), pale_size=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of digits whose network has scores, random ones."""
    recipe = dataclasses.replace(
        load_recipe("digits"), model=MODEL, options={"sparsity": 1e-3, "share_attention": 2}
    )
    network = pale_network(network_config(recipe), input_shape=(32, 32, 3), classes=10)
    for seed, layer in enumerate(network.layers):
        if getattr(layer, "sparsity", 0):
            randomize(layer, seed)
    folder = tmp_path_factory.mktemp("scored") / "run"
    (folder / "calibration").mkdir(parents=True)
    (folder / "calibration" / "01.png").write_bytes(b"image")
    write_run(folder, network, list("0123456789"), recipe, {"flags": {"recipe": "digits"}})
    return folder


@pytest.fixture(scope="module")
def smaller(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned") / "run"
    program.main([str(run), "--keep", "0.5", "--out", str(folder)])
    return folder


def test_the_new_run_holds_the_pruned_network(run, smaller):
    before, after = load_trained(run), load_trained(smaller)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(after.network(images), prune(before.network, 0.5)(images))
    assert after.labels == before.labels
    config = json.loads((smaller / "config.json").read_text())
    assert config["pruned"] == {"run": str(run), "keep": 0.5}
    files = {str(path.relative_to(smaller)) for path in smaller.rglob("*") if path.is_file()}
    assert files == {"model.keras", "labels.txt", "config.json", "calibration/01.png"}


def test_a_run_that_starts_from_it_has_its_network(smaller, tmp_path):
    flags = ["--weights", str(smaller), "--out", str(tmp_path / "out")]
    recipe, _ = choose(make_parser().parse_args(flags))
    config = network_config(recipe)
    assert (config.sparsity, config.share_attention, recipe.options) == (0.0, 2, {})
    built = pale_network(
        config, input_shape=(32, 32, 3), classes=10, weights=smaller / "model.keras"
    )
    images = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = load_trained(smaller).network(images)
    np.testing.assert_allclose(built(images), expected, atol=1e-6)


def test_says_what_is_left_and_what_comes_next(run, call, tmp_path):
    folder = tmp_path / "run"
    code, printed, errors = call(program.main, "prune.py", run, "--keep", "0.25", "--out", folder)
    assert code == 0, errors
    (units,) = (line for line in printed.splitlines() if "hidden units" in line)
    assert "25%" in units
    next_line = f"fit.py --recipe digits --dataset digits --image-size 32 --weights {folder} "
    assert next_line in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keep", "0"), "argument --keep: must be a number above 0, at most 1; got '0'"),
        (("--keep", "1.1"), "argument --keep: must be a number above 0, at most 1; got '1.1'"),
    ],
)
def test_bad_flags(run, call, tmp_path, arguments, message):
    code, _, errors = call(program.main, "prune.py", run, *arguments, "--out", tmp_path / "out")
    assert (code, errors.count("\n")) == (2, 1)
    assert message in errors


def test_runs_without_scores_and_used_folders(run, smaller, call, tmp_path):
    code, _, errors = call(
        program.main, "prune.py", smaller, "--keep", "0.5", "--out", tmp_path / "out"
    )
    assert code != 0
    assert "argument RUN: must be a run with scores; this one is pruned already" in errors
    assert not (tmp_path / "out").exists()
    code, _, errors = call(program.main, "prune.py", run, "--keep", "0.5", "--out", smaller)
    assert code != 0
    assert "is not a new or an empty folder" in errors
    assert read_recipe(smaller).model.mlp_widths is not None
    with pytest.raises(SettingError, match=r"trained with `--options sparsity=.* sparsity=0"):
        program.check_sparsity(load_recipe("digits"))


def test_a_pruned_run_that_has_scores_again_can_be_pruned_again(smaller):
    recipe = read_recipe(smaller)
    program.check_sparsity(dataclasses.replace(recipe, options={"sparsity": 1e-4}))
