"""The files of a run that more than one program knows, and its recipe read back."""

import json

from common.errors import SettingError
from common.labels import check_labels

CALIBRATION = "calibration"  # a folder of images
CONFIG = "config.json"
EMA_MODEL = "model_ema.keras"
LABELS = "labels.txt"
METRICS = "metrics.json"
MODEL = "model.keras"

# Until version 0.1 every run classified, and these settings of the task stood among the others.
_CLASSIFY_SETTINGS = (
    *("label_smoothing", "mixup", "cutmix", "rand_augment", "erasing", "crop_area", "flip"),
    *("rotation", "translation", "zoom", "crop_fraction"),
)


def is_run(folder):
    """Whether a folder, a `pathlib.Path`, has the configuration of a run, and not of another kind,
    such as that of a checkpoint of transformers."""
    try:
        return "recipe" in json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def read_config(folder):
    """Reads the configuration of a run.

    Args:
        folder: The run's folder, a `pathlib.Path`.

    Returns:
        The contents of `config.json` as a dict, with a `recipe` in today's form; empty where there
        is no such file.

    Raises:
        SettingError: If the file is not the configuration of a run.
    """
    path = folder / CONFIG
    if not path.exists():
        return {}
    try:
        config = dict(json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(config.get("flags", {}), dict):
            raise TypeError("`flags` must be an object")
        return config | {"recipe": _upgraded(dict(config["recipe"]))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is not the configuration of a run: {error}") from error


def read_labels(folder):
    """Reads `labels.txt`.

    Args:
        folder: The run's folder, a `pathlib.Path`.

    Returns:
        Names of classes in the order of the network's outputs; empty where there is no such file.

    Raises:
        SettingError: If the file has other contents than a name a line.
    """
    path = folder / LABELS
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise SettingError(f"cannot read {path}: {error}") from error
    labels = lines[:-1] if lines[-1] == "" else lines
    check_labels(labels, path)
    return labels


def _upgraded(recipe):
    """A recipe with its task's `settings` apart, as they have been written since version 0.2."""
    if "task" in recipe:
        recipe = {"settings": {}, **recipe}
        if not isinstance(recipe["settings"], dict) or not isinstance(recipe["task"], str):
            raise TypeError("`task` must be a name and `settings` an object")
        return recipe
    settings = {name: recipe.pop(name) for name in _CLASSIFY_SETTINGS if name in recipe}
    return {"task": "classify", **recipe, "settings": settings}
