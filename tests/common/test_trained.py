"""Trained networks: read back whole, or refused in one line."""

import json
import zipfile

import keras
import numpy as np
import pytest

from common.errors import SettingError
from common.trained import image_size, in_float32, load_trained
from pale_tf import PaleN


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder like that of a run, with a network for three classes."""
    folder = tmp_path_factory.mktemp("run")
    PaleN(input_shape=(32, 32, 3), classes=3).save(folder / "model.keras")
    (folder / "labels.txt").write_text("ant\nbee\ncat\n")
    return folder


def test_reads_network_labels_and_recipe(run, tmp_path):
    trained = load_trained(run)
    assert trained.labels == ["ant", "bee", "cat"]
    assert trained.recipe == {"task": "classify", "settings": {}}
    assert (trained.file, trained.folder) == (run / "model.keras", run)
    assert trained.network.output_shape == (None, 3)

    file = tmp_path / "alone.keras"
    file.write_bytes((run / "model.keras").read_bytes())
    recipe = {"task": "segment", "dataset": "ade20k", "settings": {"crop": 512}}
    (tmp_path / "config.json").write_text(json.dumps({"recipe": recipe}))
    assert load_trained(file)[1:] == (file, recipe, [])


def test_what_cannot_be_read_is_one_line(run, tmp_path):
    (tmp_path / "model.keras").write_text("no network\n")
    with pytest.raises(SettingError, match="cannot load") as caught:
        load_trained(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "model.keras").write_bytes((run / "model.keras").read_bytes())
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(SettingError, match="is not the configuration of a run"):
        load_trained(tmp_path)


def test_a_configuration_that_keras_stumbles_over_is_one_line(run, tmp_path):
    with zipfile.ZipFile(run / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    damaged = parts["config.json"].replace(b'"DTypePolicy"', b'"__import__DTypePolicy"', 1)
    assert damaged != parts["config.json"]
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, content in (parts | {"config.json": damaged}).items():
            archive.writestr(name, content)
    with pytest.raises(SettingError, match="argument RUN: cannot load"):
        load_trained(tmp_path)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((32, 32), 32),
        ((None, None), "are None, None"),
        ((32, 48), "are 32, 48"),
        ((32, None), "are 32, None"),
    ],
)
def test_the_size_of_images_is_one_number_or_an_error(sides, expected):
    network = keras.Sequential([keras.Input((*sides, 3)), keras.layers.GlobalMaxPooling2D()])
    if isinstance(expected, int):
        assert image_size(network) == expected
    else:
        with pytest.raises(SettingError, match=f"argument RUN: needs a network .* {expected}"):
            image_size(network)


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
