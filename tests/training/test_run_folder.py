"""Writing the run folder."""

import subprocess

import pytest

from training import run_folder


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")

    def write_half():
        with run_folder.replacing(path) as temporary:
            temporary.write_text("ne")
            assert path.read_text() == "old"
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert path.read_text() == "old"
    with run_folder.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.json"]


def test_temporary_names_keep_the_suffix_that_writers_look_at(tmp_path):
    with run_folder.replacing(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.touch()


def test_git_revision_is_the_commit(monkeypatch, tmp_path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    revision = run_folder.git_revision()
    assert revision.removesuffix("-dirty") == head.stdout.strip()
    monkeypatch.setattr(run_folder, "__file__", str(tmp_path / "run_folder.py"))
    assert run_folder.git_revision() is None
