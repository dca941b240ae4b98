"""What a recipe is, and how to find one by name."""

import dataclasses
import importlib
import json
import pathlib

from common.errors import SettingError
from common.names import CONFIG

# The names of `pale_tf`'s networks, here so that flags are checked before Keras is imported.
MODELS = ("pale_n", "pale_t", "pale_s", "pale_b")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of a run that a flag or a file of `training/recipes/` may choose.

    What is 0, None or False by default is off.

    Args:
        dataset: `digits`, `imagenet2012`, `folder:PATH` or `tfds:NAME`.
        model: Name of the network: `pale_n`, `pale_t`, `pale_s` or `pale_b`.
        image_size: Height and width of the network's input, in pixels.
        epochs: Passes over the training split.
        batch_size: Images in an optimiser step, over all replicas of all workers together.
        learning_rate: Peak of the schedule at a batch of `base_batch_size`; it is scaled in
            proportion to the batch. Linear warm-up, then cosine to 0.
        base_batch_size: The batch for which `learning_rate` is given.
        warmup_epochs: Length of the warm-up.
        weight_decay: Decoupled weight decay of AdamW. Norms, biases and the depth-wise kernels of
            the position encodings have none.
        clip_norm: Largest global norm of the gradients, or None.
        ema_decay: Decay of the moving average of the weights, in `[0, 1)`.
        drop_path_rate: Stochastic depth rate of the last block, or None for the variant's own.
        accumulate: Parts in which a batch is run one after the other, to save memory.
        precision: Keras dtype policy.
        label_smoothing: Share of the label that is spread over all classes.
        mixup: Alpha of Mixup's beta distribution. With both Mixup and CutMix, each batch takes one.
        cutmix: Alpha of CutMix's beta distribution.
        rand_augment: Magnitude of RandAugment, in 0..10: two of its operations an image.
        erasing: Probability that a rectangle of an image is erased.
        crop_area: Smallest part of the image's area that a random crop keeps, or None for
            evaluation's crop.
        flip: Whether half of the images are mirrored, left to right.
        rotation: Largest random rotation, in degrees.
        translation: Largest random shift, in parts of the image.
        zoom: Largest random change of scale, in parts of the image.
        slant: Largest random shift of a row, in parts of its distance from the middle.
        stretch: Largest random change of the width alone, in parts of the image.
        stroke: Largest random share of a dilation or an erosion, in 0..1: thicker, thinner strokes.
        crop_fraction: In evaluation, the part of the image's short side that the central crop has.
    """

    dataset: str
    model: str
    image_size: int
    epochs: int
    batch_size: int
    learning_rate: float
    base_batch_size: int
    warmup_epochs: int
    weight_decay: float
    clip_norm: float | None = None
    ema_decay: float = 0.0
    drop_path_rate: float | None = None
    accumulate: int = 1
    precision: str = "float32"
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    rand_augment: int = 0
    erasing: float = 0.0
    crop_area: float | None = None
    flip: bool = False
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    slant: float = 0.0
    stretch: float = 0.0
    stroke: float = 0.0
    crop_fraction: float = 1.0


def recipe_names():
    """Names of all recipes: the files of `training/recipes/`."""
    folder = pathlib.Path(__file__).with_name("recipes")
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def load_recipe(name):
    """Returns the `Recipe` in `training/recipes/<name>.py`."""
    return importlib.import_module(f"training.recipes.{name}").RECIPE


def read_weights(folder):
    """Path of the weights that a run was to start from, or None."""
    weights = json.loads((folder / CONFIG).read_text()).get("flags", {}).get("weights")
    return None if weights is None else pathlib.Path(weights)


def read_config(folder):
    """The recipe and the seed of a run.

    Raises:
        SettingError: If the folder holds no run of this version.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text())
        return Recipe(**config["recipe"]), config["seed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is not the configuration of a run: {error}") from error
