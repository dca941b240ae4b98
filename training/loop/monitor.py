"""The progress of a run while it goes on: a bar or lines, TensorBoard, `history.csv`."""

import csv
import datetime
import sys
import time

import keras
import rich.progress
import tensorflow as tf

from common.files import replacing

HISTORY = "history.csv"
TENSORBOARD = "tensorboard"

SCALARS_EVERY = 20  # steps
LINE_EVERY = 60.0  # seconds, where the output is no terminal
SAMPLES = 16


class Monitor:
    """Shows and records a run, in one place. A context manager: it holds the progress bar.

    Args:
        folder: The run's folder.
        recipe: Its `Recipe`.
        task: Its `training.tasks.Task`.
        steps_per_epoch: Steps in an epoch.
        guard: The run's `Guard`, which knows where it is.

    Attributes:
        callbacks: For Keras' `fit`.
    """

    def __init__(self, folder, recipe, task, steps_per_epoch, guard):
        self._guard = guard
        self._task = task
        self._history = folder / HISTORY
        self._rows = take_history(self._history, guard.position.epoch)
        self._progress = Progress(recipe.batch_size, recipe.epochs, steps_per_epoch, guard)
        self._scalars = Scalars(folder / TENSORBOARD, guard, self._progress)
        self.callbacks = [self._progress, self._scalars]
        self.write_samples = self._scalars.write_samples

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *error):
        self._progress.stop()

    def end_epoch(self, scores):
        """Writes and prints a dict of the scores of an epoch that just ended."""
        position = self._guard.position
        row = {"epoch": position.epoch, **scores}
        row["images_per_second"] = round(self._progress.speed, 1)
        row["seconds"] = round(position.seconds, 1)
        self._rows.append(row)
        write_history(self._history, self._rows)
        self._scalars.write({f"epoch/{name}": row[name] for name in row}, self._guard.step)
        self._progress.say(describe(row, self._progress.epochs, self._task))


class Progress(keras.callbacks.Callback):
    """Shows how far a run is, how fast and for how long: a bar on a terminal, lines in a log.

    Args:
        batch_size: Images in a step.
        epochs: Number of epochs.
        steps_per_epoch: Steps in an epoch.
        guard: The run's `Guard`, which knows the step.
    """

    def __init__(self, batch_size, epochs, steps_per_epoch, guard):
        super().__init__()
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.guard = guard
        self.speed = 0.0  # images/s, the last epoch's or this one's so far
        self._origin = None  # time and number of the first step of this process
        self._said = time.monotonic()
        self._bar = rich.progress.Progress(
            "{task.description}",
            rich.progress.BarColumn(),
            "{task.fields[speed]}",
            rich.progress.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            disable=not sys.stdout.isatty(),
        )
        total = epochs * steps_per_epoch
        self._task = self._bar.add_task("", total=total, completed=guard.step, speed="")
        self.start, self.stop = self._bar.start, self._bar.stop

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = None  # the first step of a process is compiled, and says nothing of speed
        self._epoch = f"epoch {epoch + 1}/{self.epochs}"

    def on_train_batch_end(self, batch, logs=None):
        now, step = time.monotonic(), self.guard.step
        self._origin = self._origin or (now, step)
        if self._begin is None:
            self._begin = now, batch
        else:
            begin, first = self._begin
            self.speed = self.batch_size * (batch - first) / (now - begin)
        self._bar.update(
            self._task, completed=step, description=self._epoch, speed=f"{self.speed:.0f} images/s"
        )
        if self._bar.disable and now > self._said + LINE_EVERY:
            place = f"step {step % self.steps_per_epoch}/{self.steps_per_epoch}"
            self.say(f"{self._epoch}  {place}  loss {float(logs['loss']):.4f}")

    def say(self, line):
        """Prints a line that ends in speed and time left."""
        self._said = time.monotonic()
        pace = f"{self.speed:.0f} images/s"
        begin, first = self._origin or (self._said, self.guard.step)
        if self.guard.step > first:  # evaluation included
            seconds_per_step = (self._said - begin) / (self.guard.step - first)
            left = self.epochs * self.steps_per_epoch - self.guard.step
            pace += f"  {datetime.timedelta(seconds=round(left * seconds_per_step))} left"
        self._bar.console.print(f"{line}  {pace}", highlight=False, soft_wrap=True)
        sys.stdout.flush()


class Scalars(keras.callbacks.Callback):
    """Writes TensorBoard's scalars: of single steps as they come, of epochs when they are given.

    Args:
        folder: Folder of the logs.
        guard: The run's `Guard`.
        progress: The run's `Progress`.
    """

    def __init__(self, folder, guard, progress):
        super().__init__()
        self.guard = guard
        self.progress = progress
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_train_batch_end(self, batch, logs=None):
        step = self.guard.step
        if not self.guard.passed(SCALARS_EVERY):
            return
        values = {name: float(value) for name, value in logs.items()}
        values["learning_rate"] = float(self.guard.rate(step - 1))
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
    """Writes the rows of `history.csv`, one an epoch; what a row lacks is empty there."""
    names = dict.fromkeys(name for row in rows for name in row)
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def take_history(path, epochs):
    """Reads the rows of the first `epochs` epochs.

    A file that is no history is renamed to `history.csv.damaged`, and a line says so.

    Returns:
        Dicts of text; none if there is no file, or one that is no history.
    """
    try:
        rows = read_history(path)
    except FileNotFoundError:
        return []
    except ValueError as error:
        damaged = path.replace(path.with_name(f"{path.name}.damaged"))
        print(f"passed over {path.name}, which is {damaged.name} now: {error}", flush=True)
        return []
    return [row for row in rows if int(row["epoch"]) <= epochs]


def read_history(path):
    """Reads the rows of `history.csv`, dicts of text without those that are empty.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no table of numbers with the epoch first.
    """
    with open(path, newline="") as file:
        try:
            names, *rows = list(filter(None, csv.reader(file))) or [[]]
        except csv.Error as error:
            raise ValueError(str(error)) from error
    if names[:1] != ["epoch"]:
        raise ValueError("its first column is not the epoch")
    for row in rows:
        if len(row) != len(names):
            raise ValueError(f"a row has {len(row)} columns of {len(names)}")
        int(row[0])  # as the next line, for its error
        list(map(float, filter(None, row)))
    return [{name: text for name, text in zip(names, row, strict=True) if text} for row in rows]


def describe(row, epochs, task):
    """A row of `history.csv` as a line for people."""
    score = task.score
    names = {name: name for name in ("loss", *task.parts, score)}
    names |= {f"val_{score}": "validation", f"val_ema_{score}": "averaged"}
    parts = [f"{title} {row[name]:.4f}" for name, title in names.items() if name in row]
    return "  ".join([f"epoch {row['epoch']}/{epochs}", *parts])
