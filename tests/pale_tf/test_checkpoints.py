"""Checkpoints are read whole or refused in one line, and no code of theirs runs."""

import json
import os
import pickle

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from pale_tf import load_pretrained
from pale_tf.checkpoints import read_checkpoint, read_tensors

TENSORS = {
    "a": np.arange(6, dtype="float32").reshape(2, 3),
    "b": np.ones(2, "float16"),
    "c": np.full(3, 1.5, ml_dtypes.bfloat16),
    "d": np.arange(3, dtype="int16"),
}


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    for name, tensors in files.items():
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


class Harmful:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_folder_and_a_file_are_read(tmp_path):
    folder = write(tmp_path / "checkpoint", model=TENSORS)
    (folder / "preprocessor_config.json").write_text('{"size": 224}')
    for path in (folder, folder / "model.safetensors", str(folder)):
        checkpoint = read_checkpoint(path)
        assert checkpoint.config == {}
        assert checkpoint.preprocessor == {"size": 224}
        tensors = read_tensors(checkpoint)
        assert {value.dtype.name for value in tensors.values()} == {"float32", "int16"}
        for name, value in TENSORS.items():
            np.testing.assert_array_equal(tensors[name], value)


def test_tensors_may_be_split_over_several_files(tmp_path):
    names = ("model-00001-of-00002", "model-00002-of-00002")
    files = {name: {key: TENSORS[key]} for name, key in zip(names, "ab", strict=True)}
    folder = write(tmp_path / "checkpoint", **files)
    weight_map = {key: f"{name}.safetensors" for name, key in zip(names, "ab", strict=True)}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    assert set(read_tensors(read_checkpoint(folder))) == {"a", "b"}
    save_file(TENSORS, folder / f"{names[1]}.safetensors")
    with pytest.raises(ValueError, match=r"two files of .* have a"):
        read_tensors(read_checkpoint(folder))
    index.write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(ValueError, match="does not list files of its folder"):
        read_checkpoint(folder)
    index.write_text(json.dumps({"weight_map": {"a": "model-3.safetensors"}}))
    with pytest.raises(ValueError, match=r"no model-3\.safetensors"):
        read_checkpoint(folder)
    for junk in ({"a": ["x"]}, {"a": "m", "b": 3}, {"a": ""}, {"a": ".."}, ["a"], None):
        index.write_text(json.dumps({"weight_map": junk}))
        with pytest.raises(ValueError, match="does not list files of its folder"):
            read_checkpoint(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "model.safetensors"])
def test_nothing_is_unpickled(tmp_path, name):
    folder, harm = write(tmp_path / "checkpoint"), tmp_path / "harm"
    (folder / name).write_bytes(pickle.dumps(Harmful(str(harm))))
    for path in (folder, folder / name):
        with pytest.raises(ValueError, match=r"pickle|as a safetensors file") as caught:
            load_pretrained(path)
        assert "\n" not in str(caught.value)
    assert not harm.exists()
    os.unlink(folder / name)


@pytest.mark.parametrize("left", [0, 4, 40, -8, -1])
def test_a_truncated_file_is_refused(tmp_path, left):
    folder = write(tmp_path / "checkpoint", model=TENSORS)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ValueError, match=r"cannot read .* as a safetensors file") as caught:
        read_tensors(read_checkpoint(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"must have a config\.json beside its weights"),
        ("{", r"cannot read .*config\.json"),
        ("[]", "must be a JSON object"),
        ("[" * 100_000, r"cannot read .*config\.json"),
    ],
)
def test_a_bad_configuration_is_refused(tmp_path, config, message):
    folder = write(tmp_path / "checkpoint", model=TENSORS)
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(folder)


@pytest.mark.parametrize("name", ["missing", "missing.safetensors", "config.json", ""])
def test_what_is_no_checkpoint_is_refused(tmp_path, name):
    write(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match=r"`path` must be .* Received: "):
        read_checkpoint(tmp_path / "checkpoint" / name)
