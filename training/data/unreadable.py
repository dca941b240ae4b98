"""Images that cannot be used: counted, named in a log, tolerated up to a limit."""

import threading

import tensorflow as tf

from training.errors import UnreadableImagesError


class Unreadable:
    """The images of a run that could not be decoded, or whose targets could not, each counted once.

    Args:
        limit: Number of images that is tolerated.
        log: Path of a text file that gets their names, a line each; or None.
    """

    def __init__(self, limit, log=None):
        self.limit = limit
        self.log = log
        self._lock = threading.Lock()
        known = []
        if log is not None and log.exists():
            known = log.read_text(errors="replace").splitlines()
        self._names = set(known)

    def __len__(self):
        return len(self._names)

    @property
    def names(self):
        """Names of the images, sorted."""
        return sorted(self._names)

    def watch(self, readable, name):
        """Notes `name` if `readable` is false. For use in a `tf.data` pipeline.

        Args:
            readable: Scalar boolean tensor.
            name: Scalar string tensor.

        Returns:
            `readable`.
        """

        def note():
            return tf.numpy_function(self._note, [name], tf.bool)

        return tf.ensure_shape(tf.cond(readable, lambda: True, note), ())

    def check(self):
        """Raises an `UnreadableImagesError` if there were more than the limit."""
        if len(self) > self.limit:
            where = "" if self.log is None else f"; {self.log} names them"
            raise UnreadableImagesError(
                f"{len(self)} images cannot be used, more than the limit of {self.limit} "
                f"(--max-unreadable){where}"
            )

    def _note(self, name):
        name = name.decode(errors="replace")
        with self._lock:
            if name not in self._names:
                self._names.add(name)
                if self.log is not None:
                    with open(self.log, "a") as file:
                        file.write(name + "\n")
        return False
