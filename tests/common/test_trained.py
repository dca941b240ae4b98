"""Trained networks: read back whole, or refused in one line."""

import json

import keras
import numpy as np
import pytest

from common.errors import SettingError
from common.trained import in_float32, load_trained, read_dataset
from pale_tf import PaleN


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder like that of a run, with a network for three classes."""
    folder = tmp_path_factory.mktemp("run")
    PaleN(input_shape=(32, 32, 3), classes=3).save(folder / "model.keras")
    (folder / "labels.txt").write_text("ant\nbee\ncat\n")
    return folder


def test_network_and_labels_are_all_that_is_needed(run):
    trained = load_trained(run)
    assert trained.labels == ["ant", "bee", "cat"]
    assert trained.crop_fraction == 1.0
    assert (trained.file, trained.folder) == (run / "model.keras", run)
    assert read_dataset(run) is None


def test_a_file_without_labels_gets_numbers(run, tmp_path):
    file = tmp_path / "alone.keras"
    file.write_bytes((run / "model.keras").read_bytes())
    assert load_trained(file).labels == ["0", "1", "2"]


def test_the_recipe_tells_crop_and_data(run, tmp_path):
    (tmp_path / "model.keras").write_bytes((run / "model.keras").read_bytes())
    recipe = {"crop_fraction": 0.9, "dataset": "digits"}
    (tmp_path / "config.json").write_text(json.dumps({"recipe": recipe}))
    assert load_trained(tmp_path).crop_fraction == 0.9
    assert read_dataset(tmp_path) == "digits"
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(SettingError, match="is not the configuration of a run"):
        load_trained(tmp_path)


def test_labels_of_another_network_are_refused(run, tmp_path):
    (tmp_path / "model.keras").write_bytes((run / "model.keras").read_bytes())
    (tmp_path / "labels.txt").write_text("ant\nbee\n")
    with pytest.raises(SettingError, match="has 2 labels for a network of 3 classes"):
        load_trained(tmp_path)


def test_a_copy_in_float32_and_at_another_size():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = PaleN(input_shape=(32, 32, 3), classes=3)
    finally:
        keras.config.set_dtype_policy("float32")
    exact = PaleN(input_shape=(48, 48, 3), classes=3)
    exact.set_weights(network.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype("float32")
    copy = in_float32(network, size=48)
    np.testing.assert_allclose(copy(images), exact(images), atol=1e-6)
