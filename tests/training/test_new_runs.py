"""Folders of runs that were not trained: whole, or not there."""

import keras
import pytest

from common.errors import SettingError, WriteError
from common.trained import load_trained
from training.new_runs import check_new, new_run, write_run
from training.prune import make_parser
from training.recipe import load_recipe, read_recipe


def network():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))


def test_a_run_is_read_back(tmp_path):
    folder, recipe = tmp_path / "run", load_recipe("digits")
    with new_run(make_parser(), folder):
        write_run(folder, network(), ["a", "b", "c"], recipe, {"made": "here"})
    assert read_recipe(folder) == recipe
    assert load_trained(folder).labels == ["a", "b", "c"]


@pytest.mark.parametrize("exists", [False, True])
def test_nothing_is_left_of_one_that_fails(tmp_path, exists):
    folder = tmp_path / "run"
    if exists:
        folder.mkdir()

    class Broken:
        def save(self, path):
            raise OSError("no space left")

    with pytest.raises(WriteError, match="no space"), new_run(make_parser(), folder):
        write_run(folder, Broken(), ["a"], load_recipe("digits"), {})
    assert folder.exists() == exists
    assert not exists or not list(folder.iterdir())


def test_used_folders_are_refused(tmp_path):
    check_new(tmp_path)
    check_new(tmp_path / "none")
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(SettingError, match=r"argument --out: .* is not a new or an"):
            check_new(path)
