"""Recipes: the settings of a run, and how to find them by name."""

import dataclasses
import json

from common import run_files
from common.errors import SettingError
from common.registry import load_module, module_names
from training import recipes


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of a run that a flag or a file of `training/recipes/` may choose.

    A value of 0, None or False by default is off.

    Args:
        task: Name of the task: a module of `training/tasks/`.
        dataset: Data set, such as `digits` or `folder:PATH`; the task says which there are.
        model: Name of the network, a key of `pale_tf.configs.NETWORKS`, or a `pale_tf.PaleConfig`.
        image_size: Height and width of the network's input, in pixels.
        epochs: Passes over the training split.
        batch_size: Images in an optimizer step, over all replicas of all workers together.
        learning_rate: Peak of the schedule at a batch of `base_batch_size`; it is scaled in
            proportion to the batch. Linear warm-up, then down as `schedule` says.
        base_batch_size: The batch for which `learning_rate` is given.
        warmup_epochs: Length of the warm-up; half of the run at most. May be a fraction.
        weight_decay: Decoupled weight decay of AdamW. Norms, biases and position encodings have
            none.
        beta_2: Decay of AdamW's average of squared gradients. The large gradients of the first
            steps slow down about `1 / (1 - beta_2)` later ones: short runs need less than 0.999.
        schedule: How the learning rate decays: `cosine` or `linear`, to 0, or in `steps`.
        drops: Epochs after which the learning rate is divided by 10, for the schedule `steps`.
        attention: Name of the attention of all blocks, a key of
            `pale_tf.layers.attention.ATTENTIONS`, or None for the model's own.
        options: Fields of `pale_tf.PaleConfig` that differ from the model's, by name, such as
            `{"share_attention": 2}`.
        clip_norm: Largest global norm of the gradients, or None.
        ema_decay: Decay of the moving average of the weights, in `[0, 1)`.
        drop_path_rate: Stochastic depth rate of the last block, or None for the model's own.
        freeze: Stages, of 1 to 4, whose weights stay as they are; what the network knows already is
            kept, and a step takes less time and memory. Norms keep their statistics, and no path is
            dropped.
        layer_decay: Factor of the learning rate from each block to the one before it, in `(0, 1]`:
            what is closer to the image changes less. Weight decay is slowed down alike. (BEiT, Bao
            et al. 2022; Swin's fine-tuning takes it block by block.)
        teacher: Network whose outputs are learned beside the labels: the folder of a run, or
            `keras-applications:NAME` with ImageNet's weights. None for labels alone.
        accumulate: Parts in which a batch is run one after the other, to save memory.
        precision: Keras dtype policy.
        settings: Settings of the task by name: arguments of its `settings` class, for
            classification `training.tasks.classify.Settings`.
    """

    task: str
    dataset: str
    model: object
    image_size: int
    epochs: int
    batch_size: int
    learning_rate: float
    base_batch_size: int
    warmup_epochs: float
    weight_decay: float
    beta_2: float = 0.999
    schedule: str = "cosine"
    drops: list[float] = dataclasses.field(default_factory=list)
    attention: str | None = None
    options: dict = dataclasses.field(default_factory=dict)
    clip_norm: float | None = None
    ema_decay: float = 0.0
    drop_path_rate: float | None = None
    freeze: list[int] = dataclasses.field(default_factory=list)
    layer_decay: float = 1.0
    teacher: str | None = None
    accumulate: int = 1
    precision: str = "float32"
    settings: dict = dataclasses.field(default_factory=dict)


def recipe_names():
    """Names of all recipes: the files of `training/recipes/`."""
    return module_names(recipes)


def load_recipe(name):
    """Returns the `Recipe` in `training/recipes/<name>.py`."""
    return load_module(recipes, name).RECIPE


def read_recipe(folder):
    """Reads the recipe of a run.

    Args:
        folder: The run's folder, a `pathlib.Path`.

    Raises:
        SettingError: If the folder holds no run of this project.
    """
    path = folder / run_files.CONFIG
    try:
        recipe = run_files.read_config(folder)["recipe"]
        if isinstance(recipe["model"], dict):
            from pale_tf import PaleConfig  # Keras takes seconds to import; few recipes need it

            recipe["model"] = PaleConfig(**recipe["model"])
        return Recipe(**recipe)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{path} is not the configuration of a run: {error}") from error


def as_json(recipe):
    """The recipe as a dict for `config.json`, which `read_recipe` reads back."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))
