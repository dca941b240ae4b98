"""Writing files that are whole or not there."""

import contextlib
import json
import os
import uuid

from common.errors import SettingError, WriteError


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside `path`, and renames it to `path` if nothing goes wrong.

    The contents are on the disk before the name is. A file that `path` names already stays as it is
    if anything goes wrong.

    Raises:
        WriteError: If the file cannot be written.
    """
    # A name of its own: another process may be writing the same file.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_stems(paths):
    """Raises a `SettingError` if files that are named after images would have the same names.

    Args:
        paths: Paths of the images, `pathlib.Path`s.
    """
    stems = {}
    for path in paths:
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise SettingError(
                f"argument IMAGE: names without their suffix must differ. Received: {other} and "
                f"{path}"
            )


def read_json(path):
    """The contents of a JSON file."""
    return json.loads(path.read_text())


def write_json(path, value):
    """Writes `value` as JSON; what JSON does not know, as text."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, default=str) + "\n")
