"""Version folders of a served model: whole or not there."""

import contextlib
import errno
import os
import shutil
import uuid

from common.errors import SettingError, WriteError


@contextlib.contextmanager
def new_version(folder):
    """Gives an empty folder to fill, and makes it the next version of the model in `folder`.

    A server that polls `folder` sees the version appear whole: its contents are on the disk before
    it gets its number, by a rename. Several may be made at the same time. An export
    that is killed leaves a hidden folder, which servers ignore.

    Args:
        folder: A `pathlib.Path`; the numbers of its versions are the names of its folders.

    Yields:
        `Version`: where to write. Its `number` is set afterwards.

    Raises:
        WriteError: If something cannot be written. Nothing is left then.
    """
    version = Version(folder / f".unfinished-{uuid.uuid4().hex[:8]}")
    try:
        version.path.mkdir(parents=True)
        yield version
        for path in [*version.path.rglob("*"), version.path]:
            _flush(path)
        version.path, version.number = _number(version.path)
        _flush(folder)
    except OSError as error:
        raise WriteError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        if version.number is None:
            shutil.rmtree(version.path, ignore_errors=True)


class Version:
    """A version folder: its `path`, and its `number`, None until it has one."""

    def __init__(self, path):
        self.path = path
        self.number = None


def version_numbers(folder):
    """The versions in `folder`, in ascending order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())


def check_kind(folder, file):
    """Raises a `SettingError` if `folder` has a version without `file`: that of another server."""
    others = [
        number for number in version_numbers(folder) if not (folder / str(number) / file).is_file()
    ]
    if others:
        raise SettingError(
            f"argument --out: version {others[-1]} in {folder} has no {file}; give the model "
            "another name, or delete that version"
        )


def _number(path):
    """Renames `path` to the next free number beside it; returns the new path and the number."""
    while True:
        number = max(version_numbers(path.parent), default=0) + 1
        target = path.with_name(str(number))
        try:
            os.rename(path, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return target, number


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
