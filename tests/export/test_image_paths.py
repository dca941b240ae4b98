"""Image files named on a command line."""

import argparse

import pytest

from export.image_paths import find_images, image_source


def test_finds_files_and_what_is_in_folders(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt", "deep/c.jpeg", "other.gif"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).touch()
    (tmp_path / "alone.gif").touch()  # named, so it is taken whatever its suffix
    found = find_images([tmp_path / "alone.gif", tmp_path / "folder", tmp_path / "absent"])
    names = [str(path.relative_to(tmp_path)) for path in found]
    assert names == ["alone.gif", "folder/a.jpg", "folder/b.PNG", "folder/deep/c.jpeg"]


def test_a_source_has_an_image(tmp_path):
    with pytest.raises(argparse.ArgumentTypeError, match=r"there is no .*absent"):
        image_source(str(tmp_path / "absent"))
    with pytest.raises(argparse.ArgumentTypeError, match=r"there is no \.png, \.jpg, \.jpeg file"):
        image_source(str(tmp_path))
    (tmp_path / "a.png").touch()
    assert image_source(str(tmp_path)) == tmp_path
