"""Folders of the repository."""

from benchmarks import paths


def test_folders_are_there():
    assert (paths.ROOT / "setup.cfg").is_file()
    assert (paths.RESULTS / "complexity.json").is_file()
    assert (paths.DOCS / "benchmarks.md").is_file()
    assert (paths.IMAGES / "attentions.png").is_file()
