"""One writer at a time: a lock that ends with the process that holds it, however it ends."""

import contextlib
import fcntl
import os
import pathlib

from common.errors import SettingError, WriteError

NAME = ".lock"


@contextlib.contextmanager
def locked(path, argument=None):
    """Locks `path` against other processes that ask for the same lock.

    The lock is `flock`'s on a hidden file, which is deleted in the end. After `kill -9` the file
    stays, unlocked, and the next process takes it over.

    Args:
        path: A `pathlib.Path`: a folder that is there, or a file in such a folder.
        argument: The flag that named the path, for the error if another process holds the lock;
            None to wait until it does not.

    Raises:
        SettingError: If another process holds the lock, and `argument` is given.
        WriteError: If the lock's file cannot be made.
    """
    file = path / NAME if path.is_dir() else path.with_name(f".{path.name}{NAME}")
    try:
        descriptor = _open_locked(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if argument else 0))
    except BlockingIOError:
        raise SettingError(
            f"argument {argument}: another process is writing to {path}; wait for it, or choose "
            "another path"
        ) from None
    except OSError as error:
        raise WriteError(f"cannot lock {path}: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
        os.close(descriptor)


def _open_locked(file, operation):
    """Opens and locks a file, which is still that of its name then; its descriptor."""
    while True:
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, operation)
            # Whoever held the lock before deleted the file; a third one may have made it anew.
            if _is_at(descriptor, file):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor, file):
    try:
        return os.path.samestat(os.fstat(descriptor), pathlib.Path(file).stat())
    except FileNotFoundError:
        return False
