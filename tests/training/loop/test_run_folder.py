"""What a run's folder says of it."""

import subprocess

from training.loop import run_folder


def test_git_revision_is_the_commit(monkeypatch, tmp_path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    revision = run_folder.git_revision()
    assert revision.removesuffix("-dirty") == head.stdout.strip()
    monkeypatch.setattr(run_folder, "PROGRAMS", tmp_path)
    assert run_folder.git_revision() is None
