"""Version folders: whole or not there, whoever else writes and whatever is killed."""

import pathlib
import signal
import subprocess
import sys

import pytest

from common.errors import SettingError, WriteError
from export.serving.versions import check_kind, new_version, version_numbers
from tests.conftest import ROOT

WRITER = """
import pathlib, sys, time
from export.serving.versions import new_version
with new_version(pathlib.Path(sys.argv[1])) as version:
    (version.path / "first").write_text("1")
    print("half", flush=True)
    sys.stdin.readline()
    (version.path / "second").write_text("2")
print(version.number)
"""


def start(folder):
    """A process that has written half of a version, and goes on when it gets a line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", WRITER, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, **pipes)
    assert process.stdout.readline() == "half\n"
    return process


def test_many_at_once_and_one_killed_leave_whole_versions(tmp_path):
    writers = [start(tmp_path) for _ in range(4)]
    assert version_numbers(tmp_path) == []
    writers[0].send_signal(signal.SIGKILL)
    writers[0].wait()
    for writer in writers[1:]:
        writer.stdin.write("\n")
        writer.stdin.flush()
    numbers = [int(writer.communicate()[0]) for writer in writers[1:]]
    assert sorted(numbers) == version_numbers(tmp_path) == [1, 2, 3]
    for number in numbers:
        files = {path.name for path in (tmp_path / str(number)).iterdir()}
        assert files == {"first", "second"}


def test_an_error_leaves_nothing(tmp_path):
    def fail():
        with new_version(tmp_path) as version:
            (version.path / "first").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_goes_on_after_the_highest_number(tmp_path):
    for name in ("7", "20", "x", ".hidden"):
        (tmp_path / name).mkdir()
    with new_version(tmp_path) as version:
        pass
    assert (version.number, version.path) == (21, tmp_path / "21")


def test_a_folder_that_cannot_be_written_is_one_error():
    with (
        pytest.raises(WriteError, match="cannot write /proc"),
        new_version(pathlib.Path("/proc/x")),
    ):
        pass


def test_versions_of_a_model_are_of_one_kind(tmp_path):
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "saved_model.pb").touch()
    check_kind(tmp_path, "saved_model.pb")
    check_kind(tmp_path / "new", "model.xml")
    with pytest.raises(SettingError, match=r"argument --out: version 2 in .* has no model\.xml"):
        check_kind(tmp_path, "model.xml")
