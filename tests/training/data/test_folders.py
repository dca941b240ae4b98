"""Listing folders of images: what is found, in which order, and what is passed over."""

import os

import pytest
import tensorflow_datasets as tfds

from common.errors import SettingError
from tests.training.pixels import write_images
from training.data.folders import list_images
from training.data.sources import open_source


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_order_is_that_of_tfds(tmp_path, split):
    """Earlier versions listed with TFDS: their runs go on with the same images."""
    for name in ("train", "val"):
        write_images(tmp_path / name, ["dog", "cat", "ant"], 7)
    listing = list_images(tmp_path)
    expected = [
        (example.image_path, listing.labels.index(example.label))
        for example in tfds.ImageFolder(str(tmp_path))._split_examples[split]
    ]
    assert listing.splits[{"val": "validation"}.get(split, split)] == expected
    assert listing.labels == ["ant", "cat", "dog"]
    assert listing.passed_over == []


def test_every_entry_that_is_no_image_is_named(tmp_path):
    write_images(tmp_path, ["cat", "dog"], 2)
    (tmp_path / "cat" / "notes.txt").touch()
    (tmp_path / "cat" / "b.tiff").touch()
    (tmp_path / "cat" / ".DS_Store").touch()
    (tmp_path / "dog" / "x.png").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "lost.jpg").touch()
    listing = list_images(tmp_path)
    assert listing.labels == ["cat", "dog"]
    assert [len(images) for images in listing.splits.values()] == [4]
    assert listing.passed_over == [
        f"2 hidden, such as {tmp_path}/.ipynb_checkpoints",
        f"1 outside the folder of a class, such as {tmp_path}/lost.jpg",
        f"2 not JPEG, PNG, GIF, BMP or WebP by name, such as {tmp_path}/cat/b.tiff",
        f"1 a folder in that of a class, such as {tmp_path}/dog/x.png",
        f"1 a folder without images, such as {tmp_path}/empty",
    ]


def test_other_formats_are_images(tmp_path):
    for label, suffix in (("cat", "webp"), ("dog", "GIF"), ("emu", "bmp")):
        (tmp_path / label).mkdir()
        for index in range(3):
            (tmp_path / label / f"{index}.{suffix}").touch()
    assert list_images(tmp_path).labels == ["cat", "dog", "emu"]


def test_images_without_classes_are_an_error_that_says_so(tmp_path):
    write_images(tmp_path, ["train"], 3)
    message = r"no images for train in .* passed over: 3 outside the folder of a class, such as"
    with pytest.raises(SettingError, match=message):
        open_source(f"folder:{tmp_path}")


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    write_images(tmp_path, ["cat", "dog"], 3)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SettingError, match=r"`dataset`: cannot read .*: .*Permission denied"):
        open_source(f"folder:{tmp_path}")
