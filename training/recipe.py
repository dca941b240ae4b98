"""What a recipe is, and how to find one by name."""

import dataclasses
import importlib
import pathlib

# The names of `pale_tf`'s networks, here so that flags are checked before Keras is imported.
MODELS = ("pale_n", "pale_t", "pale_s", "pale_b")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings of a run that a flag or a file of `training/recipes/` may choose.

    Args:
        dataset: Name of a TFDS data set with images and labels.
        model: Name of the network: `pale_n`, `pale_t`, `pale_s` or `pale_b`.
        image_size: Height and width of the network's input, in pixels.
        epochs: Passes over the training split.
        batch_size: Images in a step, over all replicas together.
        precision: Keras dtype policy.
        learning_rate: Peak of the schedule: linear warm-up, then cosine to 0.
        warmup_epochs: Length of the warm-up.
        weight_decay: Decoupled weight decay of AdamW; norms and biases have none.
        drop_path_rate: Stochastic depth rate of the last block.
        rotation: Largest rotation in augmentation, in degrees.
        translation: Largest shift in augmentation, in parts of the image.
        zoom: Largest change of scale in augmentation, in parts of the image.
    """

    dataset: str
    model: str
    image_size: int
    epochs: int
    batch_size: int
    learning_rate: float
    warmup_epochs: int
    weight_decay: float
    drop_path_rate: float
    rotation: float
    translation: float
    zoom: float
    precision: str = "float32"


class SettingError(ValueError):
    """A setting that cannot work with this data or on this machine. Its text names the setting."""


def recipe_names():
    """Names of all recipes: the files of `training/recipes/`."""
    folder = pathlib.Path(__file__).with_name("recipes")
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def load_recipe(name):
    """Returns the `Recipe` in `training/recipes/<name>.py`."""
    return importlib.import_module(f"training.recipes.{name}").RECIPE
