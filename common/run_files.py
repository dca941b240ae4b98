"""The files of a run that more than one program knows, and its recipe read back."""

import json

from common.errors import SettingError

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
        config = dict(json.loads(path.read_text()))
        return config | {"recipe": _upgraded(dict(config["recipe"]))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is not the configuration of a run: {error}") from error


def read_labels(folder):
    """The lines of `labels.txt` in a folder, names of classes in the order of the network's
    outputs; empty where there is no such file."""
    path = folder / LABELS
    return path.read_text().splitlines() if path.exists() else []


def _upgraded(recipe):
    """A recipe with its task's `settings` apart, as they have been written since version 0.2."""
    if "task" in recipe:
        recipe = {"settings": {}, **recipe}
        if not isinstance(recipe["settings"], dict) or not isinstance(recipe["task"], str):
            raise TypeError("`task` must be a name and `settings` an object")
        return recipe
    settings = {name: recipe.pop(name) for name in _CLASSIFY_SETTINGS if name in recipe}
    return {"task": "classify", **recipe, "settings": settings}
