"""The Keras callback that saves checkpoints and stops a run."""

import signal
import time

import keras
import numpy as np

from training.errors import NonFiniteLossError, TerminatedError
from training.loop import checkpoints

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Guard(keras.callbacks.Callback):
    """Saves checkpoints, and ends a run whose loss is not finite or that is asked to end.

    A context manager: inside it, SIGTERM and SIGINT ask the run to end.

    Args:
        position: The `Position` of the run; it is moved on.
        save: A function without arguments that writes a checkpoint of `position`.
        every: Number of steps between checkpoints.
        steps_per_epoch: Steps in an epoch.
        rate: The learning rate, a function of the number of steps before.
        unreadable: The `Unreadable` of the training images.

    Raises:
        NonFiniteLossError: From `fit`, after a step whose loss is infinite or NaN.
        TerminatedError: From `fit`, after the step in which SIGTERM or SIGINT (Ctrl-C) arrived, and
            a checkpoint.
        UnreadableImagesError: From `fit`, if too many images cannot be used.
    """

    def __init__(self, position, save, every, steps_per_epoch, rate, unreadable):
        super().__init__()
        self.position = position
        self.save = save
        self.every = every
        self.steps_per_epoch = steps_per_epoch
        self.rate = rate
        self.unreadable = unreadable
        self.terminated = None  # the signal that arrived

    def __enter__(self):
        self._handlers = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, *error):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number, frame):
        self.terminated = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait

    @property
    def step(self):
        """Number of finished steps of the run."""
        return self.position.epoch * self.steps_per_epoch + self.position.step

    def passed(self, every):
        """Whether the steps since Keras called last hold one that `every` divides."""
        return self.step // every > self._before // every

    def on_train_begin(self, logs=None):
        self._entered = self.position.step
        self._started = time.perf_counter()
        self._metrics = checkpoints.read_metrics(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        if self.position.step:  # the first part of the epoch was counted, and Keras has reset that
            checkpoints.write_metrics(self.model, self._metrics)

    def on_train_batch_end(self, batch, logs=None):
        self._check_loss(float(logs["loss"]))
        self.unreadable.check()
        self._before = self.step
        # With several steps per execution, `batch` is the last of a full one.
        self.position.step = min(self._entered + batch + 1, self.steps_per_epoch)
        now = time.perf_counter()
        self.position.seconds += now - self._started
        self._started = now
        if self.terminated or self.passed(self.every):
            self.save()
        self.check_terminated()

    def check_terminated(self):
        """Raises a `TerminatedError` if a signal has arrived."""
        if self.terminated:
            raise TerminatedError(self.terminated)

    def _check_loss(self, loss):
        if not np.isfinite(loss):
            where = f"step {self.step + 1} (epoch {self.position.epoch + 1})"
            rate = float(self.rate(self.step))
            raise NonFiniteLossError(
                f"the loss is {loss} at {where}, learning rate {rate:.3g}; the last checkpoint is "
                "from before. Try a lower learning rate, --precision float32, or look at the data"
            )
