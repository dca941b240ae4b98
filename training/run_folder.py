"""The files of a run: each under a temporary name first, and renamed when it is whole. (The logs,
`history.csv` and `tensorboard/`, are Keras' and grow as training goes on.)"""

import contextlib
import csv
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np

PACKAGES = ("pale_tf", "tensorflow", "keras", "keras-cv", "tensorflow-datasets", "numpy")
EXAMPLES = 5


def write_start(folder, recipe, flags, replicas, labels):
    """Writes what is known before training: `config.json` and `labels.txt`."""
    config = {
        "command": ["python", *sys.argv],
        "flags": vars(flags),
        "recipe": dataclasses.asdict(recipe),
        "seed": flags.seed,
        "replicas": replicas,
        "git_revision": git_revision(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
    }
    _write_json(folder / "config.json", config)
    with replacing(folder / "labels.txt") as path:
        path.write_text("".join(f"{label}\n" for label in labels))


def write_end(folder, model, metrics, examples, labels):
    """Writes what training gave: `model.keras`, `metrics.json`, `curves.png`, `examples/`."""
    with replacing(folder / "model.keras") as path:
        model.save(path, include_optimizer=False)
    with replacing(folder / "curves.png") as path:
        plot_curves(folder / "history.csv", path)
    (folder / "examples").mkdir()
    images, classes = next(iter(examples.unbatch().batch(EXAMPLES)))
    for index, (image, label) in enumerate(zip(images.numpy(), classes.numpy(), strict=True)):
        with replacing(folder / "examples" / f"{index + 1}-is-{labels[label]}.png") as path:
            keras.utils.save_img(path, image, scale=False)
    _write_json(folder / "metrics.json", metrics)


def summary(folder, metrics):
    """What to tell the user at the end: results, where they are, and what to do next."""
    files = {
        "model.keras": "the network",
        "labels.txt": "its classes",
        "metrics.json": "accuracy and loss on the test images",
        "history.csv": "loss and accuracy of every epoch",
        "curves.png": "the same, drawn",
        "config.json": "flags, recipe, seed, versions, git revision",
        "tensorboard": f"logs: tensorboard --logdir {shlex.quote(str(folder / 'tensorboard'))}",
    }
    width = max(len(str(folder / name)) for name in files)
    program = pathlib.Path(__file__).with_name("predict.py")
    images = sorted((folder / "examples").iterdir())
    predict = [_from_here(sys.executable), _from_here(program), folder, *images]
    return "\n".join(
        [
            "",
            f"test accuracy {metrics['test_accuracy']:.4f}, test loss {metrics['test_loss']:.4f}, "
            f"trained in {metrics['train_seconds']:.0f} s",
            "",
            *(f"{folder / name!s:{width}}  {what}" for name, what in files.items()),
            "",
            "Next:",
            "  " + shlex.join(map(str, predict)),
        ]
    )


def _from_here(path):
    """`path` relative to the working folder if it lies below it, else as it is."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def plot_curves(history, path):
    """Draws the loss and the accuracy of every epoch in the CSV file `history`."""
    with open(history) as file:
        rows = list(csv.DictReader(file))
    epochs = 1 + np.arange(len(rows))
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            axis.plot(epochs, [float(row[prefix + quantity]) for row in rows], label=label)
        axis.set(xlabel="epoch", ylabel=quantity)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def git_revision():
    """The commit of this repository, with `-dirty` if files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        here = pathlib.Path(__file__).parent
        done = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True)
        return done.stdout.strip()
    return None


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside `path`, and renames it to `path` if nothing goes wrong."""
    temporary = path.with_name(f".{path.name}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_json(path, value):
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, default=str) + "\n")
