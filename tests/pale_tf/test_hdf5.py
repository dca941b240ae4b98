"""Weights of strangers: nothing outside the file is read, and no bomb is unpacked."""

import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

from common.errors import SettingError
from common.trained import load_network
from pale_tf import PaleConfig, pale_network
from pale_tf.hdf5 import FLOOR, open_weights
from pale_tf.weights import load_weights

SECRET = b"the reader's own bytes, of which none may be read. " * 100


def make():
    small = PaleConfig("small", 8, (1, 1, 1, 1), (1, 1, 1, 1), pale_size=2)
    return pale_network(small, input_shape=(32, 32, 3), classes=4)


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """The files of a model."""
    folder = tmp_path_factory.mktemp("saved")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return folder


@pytest.fixture
def files(saved, tmp_path):
    """Copies of the files of a model, and two of its reader's."""
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    (tmp_path / "secret").write_bytes(SECRET)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.ones((64, 4), "float32")
    return tmp_path


def classifier(file):
    """The group of the last layer's tensors, in an HDF5 file of the model."""
    layers = file["layers"].values()
    return next(layer["vars"] for layer in layers if layer["vars"].attrs["name"] == "predictions")


def external_storage(group, folder):
    group.create_dataset("0", (64, 4), "float32", external=[(str(folder / "secret"), 0, 1024)])


def external_link(group, folder):
    group["0"] = h5py.ExternalLink(str(folder / "other.h5"), "kernel")


def soft_link(group, folder):
    group["0"] = h5py.SoftLink("/layers/any")


def virtual(group, folder):
    layout = h5py.VirtualLayout((64, 4), "float32")
    layout[...] = h5py.VirtualSource(str(folder / "other.h5"), "kernel", (64, 4))
    group.create_virtual_dataset("0", layout)


def bomb(group, folder):
    shape = (FLOOR // 4 + 1,)
    group.create_dataset("0", shape, "float32", chunks=shape, compression="gzip")


def text(group, folder):
    group.create_dataset("0", data=np.full((64, 4), b"text"))


HOSTILE = {
    external_storage: "is stored in another file",
    external_link: "is a link of the kind ExternalLink",
    soft_link: "is a link of the kind SoftLink",
    virtual: "is stored in another file",
    bomb: "unpacks from",
}


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_nothing_outside_the_file_is_read(files, model, change, suffix):
    path = spoil(files, change, suffix)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"`weights` must be .*{HOSTILE[change]}"):
        load_weights(model, path)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if suffix == ".keras":
        with pytest.raises(SettingError, match=HOSTILE[change]):
            load_network(path)


def spoil(files, change, suffix):
    """Replaces the classifier's kernel in a file of the model; the file's path."""
    with h5py.File(files / "model.weights.h5", "r+") as file:
        group = classifier(file)
        del group["0"]
        change(group, files)
    if suffix == ".keras":
        with zipfile.ZipFile(files / "model.keras") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["model.weights.h5"] = (files / "model.weights.h5").read_bytes()
        with zipfile.ZipFile(files / "model.keras", "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    return files / f"model{suffix}"


def test_links_within_the_file_may_go_around(files):
    with h5py.File(files / "model.weights.h5", "r+") as file:
        file["layers/all"] = file["layers"]
    with open_weights(files / "model.weights.h5") as file:
        assert "layers" in file


def test_an_archive_that_unpacks_to_far_more(files):
    with zipfile.ZipFile(files / "model.keras", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(FLOOR + 1))
    with pytest.raises(SettingError, match=r"cannot load .*assets/zeros unpacks from .* bytes to"):
        load_network(files / "model.keras")


def test_tensors_of_text(files, model):
    with pytest.raises(ValueError, match="`weights` must be a weights file"):
        load_weights(model, spoil(files, text, ".weights.h5"))


def test_an_encrypted_archive(files, model):
    path = files / "model.keras"
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            content[member.header_offset + 6] |= 1
    at = content.find(b"PK\1\2")
    while at >= 0:
        content[at + 8] |= 1
        at = content.find(b"PK\1\2", at + 1)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"`weights` must be a weights file .*encrypted"):
        load_weights(model, path)


def test_whole_files_load(files, model):
    other = make()
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    load_weights(other, files / "model.keras")
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert isinstance(load_network(files / "model.keras"), keras.Model)
    shutil.copy(files / "model.weights.h5", files / "copy.weights.h5")
    load_weights(other, files / "copy.weights.h5")
