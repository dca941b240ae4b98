"""The files of a run: each under a temporary name first, and renamed when it is whole."""

import contextlib
import dataclasses
import os
import pathlib
import platform
import shlex
import subprocess
import sys

import keras

from common.files import read_json, replacing, write_json
from common.run_files import CALIBRATION, CONFIG, EMA_MODEL, METRICS, MODEL
from common.trained import load_network
from common.versions import installed_versions
from pale_tf.ranges import SCALED, is_scaled
from training import pictures
from training.data.batches import first_images, sample_images
from training.loop.evaluation import evaluate_networks
from training.loop.monitor import HISTORY, TENSORBOARD, take_history
from training.recipe import as_json

CHECKPOINTS = "checkpoints"
UNREADABLE = "unreadable.txt"

PACKAGES = ("tensorflow", "keras", "keras-cv", "tensorflow-datasets", "numpy")
PROGRAMS = pathlib.Path(__file__).resolve().parents[1]
CALIBRATED = 64


def write_start(run):
    """Writes what is known before training, or adds to it that the run goes on."""
    folder, position = run.settings.out, run.position
    for left in folder.glob(".*.tmp*"):  # by a killed process: this one has the folder's lock
        left.unlink()
    start = {
        "command": ["python", *sys.argv],
        "step": {"epoch": position.epoch, "step": position.step},
        "replicas": run.strategy.num_replicas_in_sync,
        "git_revision": git_revision(),
        "versions": installed_versions(*PACKAGES),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
    }
    if (folder / CONFIG).exists():
        config = read_json(folder / CONFIG)
        config.setdefault("resumed", []).append(start)
    else:
        settings = dataclasses.asdict(run.settings)
        recorded = {"flags": settings, "recipe": as_json(run.recipe), "seed": run.settings.seed}
        config = {**start, **recorded}
    write_json(folder / CONFIG, config)  # first: a folder with this file can be resumed
    for name, text in run.task.files(run.source).items():
        with replacing(folder / name) as path:
            path.write_text(text)


def introduction(run, notes):
    """A text for the user before the first step."""
    recipe, position = run.recipe, run.position
    model = recipe.model if isinstance(recipe.model, str) else recipe.model.name
    counts = ", ".join(f"{count} {split}" for split, count in run.source.counts.items())
    if recipe.options:
        model += " with " + ", ".join(f"{name}={value}" for name, value in recipe.options.items())
    lines = [f"{model} on {recipe.dataset}: {run.task.describe(run.source)}, images: {counts}"]
    lines += [f"passed over: {line}" for line in run.source.passed_over]
    first = first_images(run.source, run.transforms, 8)  # of a detector, in several sizes
    if is_scaled([abs(image).max() for image in first]):
        lines.append(f"warning: in the first training images, {SCALED}")
    if position.epoch or position.step:
        lines.append(f"going on after {position.epoch} epochs and {position.step} steps")
    if notes is not None:
        lines.append(str(notes))
    if recipe.freeze:
        count = len(run.trainer.network.trainable_variables)
        lines.append(f"frozen: stages {recipe.freeze}; {count} tensors are trained")
    return "\n".join([*lines, "The first step takes longer: the network is traced."])


def write_end(run):
    """Writes what training gave, and evaluates it: networks, scores, pictures, examples."""
    folder, task = run.settings.out, run.task
    save_networks(folder, run.trainer)
    names = [name for name in (MODEL, EMA_MODEL) if (folder / name).exists()]
    networks = {
        name: task.make_inference(load_network(folder / name), run.recipe.settings)
        for name in names
    }
    batch_size = run.recipe.batch_size
    reports = evaluate_networks(
        networks, task, run.source, "test", run.transforms, batch_size, run.unreadable
    )
    metrics = {}
    for name, prefix in zip(names, ("test_", "test_ema_"), strict=False):
        scores = reports[name].scores()
        metrics |= {f"{prefix}{key}": value for key, value in scores.items()}
    metrics["train_seconds"] = round(run.position.seconds, 1)
    metrics["unreadable_images"] = len(run.unreadable)
    write_json(folder / METRICS, metrics)  # before the pictures: what was trained for
    if rows := take_history(folder / HISTORY, run.recipe.epochs):
        with replacing(folder / "curves.png") as path:
            quantities = dict.fromkeys(("loss", *task.parts, task.score))
            pictures.plot_curves(rows, tuple(quantities), path)
    reports[MODEL].draw(folder)
    write_calibration(folder, run.source, run.transforms)


def save_networks(folder, trainer):
    """Writes `model.keras`, and `model_ema.keras` with the averaged weights if there are any.

    Nothing is frozen in them, nor in the trainer's network from then on.
    """
    for layer in trainer.finished.layers:  # Keras passes over layers below a trainable model
        layer.trainable = True
    with replacing(folder / MODEL) as path:
        trainer.finished.save(path, include_optimizer=False)
    if trainer.averages:
        trainer.swap_averages()
        with replacing(folder / EMA_MODEL) as path:
            trainer.finished.save(path, include_optimizer=False)
        trainer.swap_averages()


def write_calibration(folder, source, transforms):
    """Writes training images that stand for all: exporting in eight bits needs them."""
    (folder / CALIBRATION).mkdir(exist_ok=True)
    for index, image in enumerate(sample_images(source, transforms, CALIBRATED)):
        with replacing(folder / CALIBRATION / f"{index + 1:02}.png") as path:
            keras.utils.save_img(path, image, scale=False)


def summary(folder, task):
    """A text for the user at the end: results, where they are, and what to do next."""
    metrics, score = read_json(folder / METRICS), task.score
    files = {
        MODEL: "the network",
        EMA_MODEL: "the same with averaged weights",
        METRICS: "scores on the test images",
        HISTORY: "scores of every epoch",
        "curves.png": "the same, drawn",
        **task.contents,
        CONFIG: "flags, recipe, seed, versions, git revision",
        CALIBRATION: "training images; export in eight bits needs them",
        CHECKPOINTS: "what --resume needs; no longer needed",
        UNREADABLE: f"{metrics.get('unreadable_images')} images that could not be used",
        TENSORBOARD: f"logs: tensorboard --logdir {shlex.quote(str(folder / TENSORBOARD))}",
    }
    files = {name: what for name, what in files.items() if (folder / name).exists()}
    width = max(len(str(folder / name)) for name in files)
    averaged = ""
    if f"test_ema_{score}" in metrics:
        averaged = f" (averaged weights: {metrics[f'test_ema_{score}']:.4f})"
    loss = f", test loss {metrics['test_loss']:.4f}" if "test_loss" in metrics else ""
    loss = "" if score == "loss" else loss
    lines = [
        "",
        f"test {score} {metrics[f'test_{score}']:.4f}{averaged}{loss}, "
        f"trained in {metrics['train_seconds']:.0f} s",
        "",
        *(f"{folder / name!s:{width}}  {what}" for name, what in files.items()),
    ]
    if (folder / "examples").exists():
        images = sorted((folder / "examples").iterdir())
        program = [_from_here(sys.executable), _from_here(PROGRAMS / "predict.py")]
        lines += ["", "Next:", "  " + shlex.join(map(str, [*program, folder, *images]))]
    return "\n".join(lines)


def _from_here(path):
    """`path` relative to the working folder if it lies below it, else as it is."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def git_revision():
    """The commit of this repository, with `-dirty` if files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(command, cwd=PROGRAMS, check=True, capture_output=True, text=True)
        return done.stdout.strip()
    return None
