"""Runs that were not trained here: made of a checkpoint, or of another run."""

import contextlib
import shutil
import sys

from common.cli import make_folder
from common.errors import SettingError
from common.files import replacing, write_json
from common.labels import labels_text
from common.run_files import CONFIG, LABELS, MODEL
from common.versions import installed_versions
from training.recipe import as_json


def check_new(folder):
    """Raises a `SettingError` unless a folder, that of `--out`, is new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingError(f"argument --out: {folder} is not a new or an empty folder")


@contextlib.contextmanager
def new_run(parser, folder):
    """A context that makes the folder of a run, and leaves nothing of it if it fails.

    Args:
        parser: The program's `Parser`.
        folder: The folder, a `pathlib.Path`, new or empty.
    """
    is_new = not folder.exists()
    make_folder(parser, "--out", folder)
    try:
        yield folder
    except BaseException:
        for path in folder.iterdir():  # there was nothing before
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if is_new:
            folder.rmdir()
        raise


def write_run(folder, network, labels, recipe, origin, *packages, copied=()):
    """Writes the files of a run, the network last: without it, there is no run.

    Args:
        folder: The run's folder, a `pathlib.Path`.
        network: The `keras.Model`.
        labels: Names of its classes; none to write no such file.
        recipe: The `Recipe`.
        origin: Dict of what the run was made of, for its configuration.
        *packages: Packages whose versions are recorded, beside those of every run.
        copied: Paths of files and folders of another run that belong to this one too.
    """
    config = {
        "command": ["python", *sys.argv],
        **origin,
        "versions": installed_versions("keras", "numpy", "tensorflow", *packages),
        "recipe": as_json(recipe),
    }
    write_json(folder / CONFIG, config)
    if labels:
        with replacing(folder / LABELS) as path:
            path.write_text(labels_text(labels), encoding="utf-8")
    for source in copied:
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / source.name)
    with replacing(folder / MODEL) as path:
        network.save(path)
