"""The files of a run: each under a temporary name first, and renamed when it is whole."""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys

import keras
import numpy as np

from common.files import replacing, write_json
from common.names import CALIBRATION, CONFIG, EMA_MODEL, LABELS, METRICS, MODEL
from common.networks import load_network
from training import evaluation, pictures
from training.sight import HISTORY, TENSORBOARD

CHECKPOINTS = "checkpoints"
UNREADABLE = "unreadable.txt"

PACKAGES = ("pale_tf", "tensorflow", "keras", "tensorflow-datasets", "numpy")
CALIBRATED = 64
EXAMPLES = 5
WORST = 24


def write_start(flags, recipe, replicas, source, position):
    """Writes what is known before training, or adds to it that the run goes on."""
    folder = flags.out
    start = {
        "command": ["python", *sys.argv],
        "step": {"epoch": position.epoch, "step": position.step},
        "replicas": replicas,
        "git_revision": git_revision(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
    }
    if (folder / CONFIG).exists():
        config = json.loads((folder / CONFIG).read_text())
        config.setdefault("resumed", []).append(start)
    else:
        recorded = {"flags": vars(flags), "recipe": dataclasses.asdict(recipe), "seed": flags.seed}
        config = {**start, **recorded}
    write_json(folder / CONFIG, config)  # first: what has it can be gone on with
    with replacing(folder / LABELS) as path:
        path.write_text("".join(f"{label}\n" for label in source.labels))


def introduction(recipe, source, position, report):
    """What to tell the user before the first step."""
    counts = ", ".join(f"{count} {split}" for split, count in source.counts.items())
    lines = [
        f"{recipe.model} on {recipe.dataset}: {len(source.labels)} classes, images: {counts}",
        "The first step takes longer: the network is traced.",
    ]
    if report is not None:
        lines.insert(1, str(report))
    if position.epoch or position.step:
        lines.insert(1, f"going on after {position.epoch} epochs and {position.step} steps")
    return "\n".join(lines)


def write_end(folder, trainer, source, recipe, unreadable, seconds):
    """Writes what training gave, and evaluates it: networks, scores, pictures, examples."""
    save_networks(folder, trainer)
    with replacing(folder / "curves.png") as path:
        pictures.plot_curves(folder / HISTORY, path)
    metrics = {}
    for name, prefix in ((MODEL, "test_"), (EMA_MODEL, "test_ema_")):
        if not (folder / name).exists():
            continue
        network = load_network(folder / name)
        predictions = evaluation.predict_split(network, source, "test", recipe, unreadable)
        scores = evaluation.summarise(predictions, source.labels)
        metrics |= {f"{prefix}{key}": scores[key] for key in ("accuracy", "top5_accuracy", "loss")}
        if name == MODEL:
            write_pictures(folder, predictions, source, recipe, unreadable)
    write_calibration(folder, source, recipe)
    metrics |= {"train_seconds": round(seconds, 1), "unreadable_images": len(unreadable)}
    write_json(folder / METRICS, metrics)


def save_networks(folder, trainer):
    """Writes `model.keras`, and `model_ema.keras` with the averaged weights if there are any."""
    with replacing(folder / MODEL) as path:
        trainer.network.save(path, include_optimizer=False)
    if trainer.averages:
        trainer.swap_averages()
        with replacing(folder / EMA_MODEL) as path:
            trainer.network.save(path, include_optimizer=False)
        trainer.swap_averages()


def write_pictures(folder, predictions, source, recipe, unreadable):
    """Writes the confusion matrix, the worst-classified images, and a few examples."""
    with replacing(folder / "confusion.png") as path:
        matrix = evaluation.confusion_matrix(predictions)
        pictures.plot_confusion(matrix, source.labels, path)
    worst = np.argsort(-predictions.losses, kind="stable")[:WORST]
    examples = np.arange(min(EXAMPLES, len(predictions.labels)))
    wanted = np.concatenate([worst, examples])
    indices, places = np.unique(wanted, return_inverse=True)
    picked = evaluation.pick_images(source, "test", recipe, unreadable, indices)
    images = [picked[place] for place in places]
    titles = [_describe(predictions, source.labels, index) for index in worst]
    with replacing(folder / "worst.png") as path:
        pictures.plot_images(images[: len(worst)], titles, path)
    (folder / "examples").mkdir(exist_ok=True)
    for index, image in zip(examples, images[len(worst) :], strict=True):
        label = source.labels[predictions.labels[index]].replace("/", "_")
        with replacing(folder / "examples" / f"{index + 1}-is-{label}.png") as path:
            keras.utils.save_img(path, image, scale=False)


def write_calibration(folder, source, recipe):
    """Writes training images that stand for all: exporting in eight bits needs them."""
    (folder / CALIBRATION).mkdir(exist_ok=True)
    for index, image in enumerate(evaluation.sample_images(source, recipe, CALIBRATED)):
        with replacing(folder / CALIBRATION / f"{index + 1:02}.png") as path:
            keras.utils.save_img(path, image, scale=False)


def _describe(predictions, names, index):
    label, scores = predictions.labels[index], predictions.probabilities[index]
    best = scores.argmax()
    return f"{names[label]}, not {names[best]}" if best != label else f"{names[label]}, right"


def summary(folder):
    """What to tell the user at the end: results, where they are, and what to do next."""
    metrics = json.loads((folder / METRICS).read_text())
    files = {
        MODEL: "the network",
        EMA_MODEL: "the same with averaged weights",
        LABELS: "its classes",
        METRICS: "accuracy and loss on the test images",
        HISTORY: "loss and accuracy of every epoch",
        "curves.png": "the same, drawn",
        "confusion.png": "which classes are taken for which",
        "worst.png": "the test images with the highest loss",
        CONFIG: "flags, recipe, seed, versions, git revision",
        CALIBRATION: "training images; export in eight bits needs them",
        CHECKPOINTS: "what --resume needs; no longer needed",
        UNREADABLE: "images that could not be decoded",
        TENSORBOARD: f"logs: tensorboard --logdir {shlex.quote(str(folder / TENSORBOARD))}",
    }
    files = {name: what for name, what in files.items() if (folder / name).exists()}
    width = max(len(str(folder / name)) for name in files)
    program = pathlib.Path(__file__).with_name("predict.py")
    images = sorted((folder / "examples").iterdir())
    predict = [_from_here(sys.executable), _from_here(program), folder, *images]
    averaged = ""
    if "test_ema_accuracy" in metrics:
        averaged = f" (averaged weights: {metrics['test_ema_accuracy']:.4f})"
    return "\n".join(
        [
            "",
            f"test accuracy {metrics['test_accuracy']:.4f}{averaged}, "
            f"test loss {metrics['test_loss']:.4f}, trained in {metrics['train_seconds']:.0f} s",
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


def git_revision():
    """The commit of this repository, with `-dirty` if files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        here = pathlib.Path(__file__).parent
        done = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True)
        return done.stdout.strip()
    return None
