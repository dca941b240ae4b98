"""What a run shows while it goes on: progress, TensorBoard, `history.csv`."""

import csv
import datetime
import sys
import time

import keras
import rich.progress
import tensorflow as tf

from training.files import replacing

SCALARS_EVERY = 20  # steps
LINE_EVERY = 60.0  # seconds, where the output is no terminal
SAMPLES = 16


class Progress(keras.callbacks.Callback):
    """Shows how far a run is, how fast and for how long: a bar on a terminal, lines in a log.

    Args:
        batch_size: Images in a step.
        epochs: Number of epochs.
        steps_per_epoch: Steps in an epoch.
        survival: The run's `Survival`, which knows the step.
    """

    def __init__(self, batch_size, epochs, steps_per_epoch, survival):
        super().__init__()
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.survival = survival
        self.speed = 0.0  # images/s, the last epoch's or this one's so far
        self._seconds_per_step = None
        self._said = time.monotonic()
        self._bar = rich.progress.Progress(
            "{task.description}",
            rich.progress.BarColumn(),
            "{task.fields[speed]}",
            rich.progress.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            disable=not sys.stdout.isatty(),
        )
        total = epochs * steps_per_epoch
        self._task = self._bar.add_task("", total=total, completed=survival.step, speed="")

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *error):
        self._bar.stop()

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = None  # the first step of a process is compiled, and says nothing of speed
        self._epoch = f"epoch {epoch + 1}/{self.epochs}"

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if self._begin is None:
            self._begin, self._first = now, batch
        else:
            self._seconds_per_step = (now - self._begin) / (batch - self._first)
            self.speed = self.batch_size / self._seconds_per_step
        step = self.survival.step
        self._bar.update(
            self._task, completed=step, description=self._epoch, speed=f"{self.speed:.0f} images/s"
        )
        if self._bar.disable and now > self._said + LINE_EVERY:
            place = f"step {step % self.steps_per_epoch}/{self.steps_per_epoch}"
            self.say(f"{self._epoch}  {place}  loss {float(logs['loss']):.4f}")

    def say(self, line):
        """Prints a line that ends in speed and time left."""
        left = self.epochs * self.steps_per_epoch - self.survival.step
        pace = f"{self.speed:.0f} images/s"
        if self._seconds_per_step is not None:
            seconds = datetime.timedelta(seconds=round(left * self._seconds_per_step))
            pace += f"  {seconds} left"
        self._said = time.monotonic()
        self._bar.console.print(f"{line}  {pace}", highlight=False, soft_wrap=True)
        sys.stdout.flush()


class Scalars(keras.callbacks.Callback):
    """Writes TensorBoard's scalars: of single steps as they come, of epochs when they are given.

    Args:
        folder: Folder of the logs.
        survival: The run's `Survival`.
        progress: The run's `Progress`.
    """

    def __init__(self, folder, survival, progress):
        super().__init__()
        self.survival = survival
        self.progress = progress
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_train_batch_end(self, batch, logs=None):
        step = self.survival.step
        if step % SCALARS_EVERY:
            return
        values = {name: float(value) for name, value in logs.items()}
        values["learning_rate"] = float(self.survival.rate(step - 1))
        values["images_per_second"] = self.progress.speed
        self.write({f"step/{name}": value for name, value in values.items()}, step)

    def write(self, values, step):
        """Writes a dict of scalars at a step."""
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()

    def write_samples(self, images):
        """Writes the first images of a training batch, values in 0..255."""
        with self.writer.as_default(step=0):
            tf.summary.image("augmented", images[:SAMPLES] / 255.0, max_outputs=SAMPLES)


def write_history(path, rows):
    """Writes the rows of `history.csv`, one an epoch."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def read_history(path, epochs):
    """Reads the rows of the first `epochs` epochs; none if there is no file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))[:epochs]


def describe(row, epochs):
    """A row of `history.csv` as a line for people."""
    names = {"loss": "loss", "accuracy": "accuracy", "val_accuracy": "validation"}
    names["val_ema_accuracy"] = "averaged"
    parts = [f"{title} {row[name]:.4f}" for name, title in names.items() if name in row]
    return "  ".join([f"epoch {row['epoch']}/{epochs}", *parts])
