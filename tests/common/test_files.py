"""Files that are whole or not there."""

import pathlib

import pytest

from common.errors import SettingError, WriteError
from common.files import check_stems, replacing


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("ne")
            assert path.read_text() == "old"
            raise OSError("disk full")

    with pytest.raises(WriteError, match=f"cannot write {path}: disk full"):
        write_half()
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.json"]


def test_two_writers_of_a_file_do_not_meet(tmp_path):
    path = tmp_path / "models.config"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert {one.read_text(), other.read_text()} == {"one", "other"}
    assert path.read_text() == "one"  # left last
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_names_keep_the_suffix_that_writers_look_at(tmp_path):
    with replacing(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.touch()


def test_files_that_are_named_after_images_have_names_of_their_own():
    check_stems(map(pathlib.Path, ("a/1.png", "a/2.png", "b/3.jpg", "a/1.png")))
    with pytest.raises(SettingError, match=r"IMAGE: .* differ. Received: a/1.png and b/1.jpg"):
        check_stems(map(pathlib.Path, ("a/1.png", "a/2.png", "b/1.jpg")))
