"""Flags of fit.py: what is trained, on what, and how often it is saved."""

import pathlib

from common.cli import (
    existing_weights,
    factor,
    natural_int,
    option,
    positive_float,
    positive_int,
    replicas,
    seed,
)
from training.recipe import recipe_names

DEFAULT_RECIPE = "digits"


def add_recipe_flags(add):
    """Flags that choose a recipe, and that override it."""
    add(
        "--recipe",
        choices=recipe_names(),
        help=f"file in training/recipes/ (default: {DEFAULT_RECIPE})",
    )
    add(
        "--dataset",
        help="for classes of images: digits, imagenet2012, folder:PATH (PATH/LABEL/*.jpg, or below "
        "train, validation and test), or tfds:NAME; for classes of pixels: digit_scenes, "
        "masks:PATH (PATH/images/*.jpg and PATH/masks/*.png, or below train, validation and "
        "test), ade20k:PATH, or tfds:NAME; for objects: digit_scenes, coco:PATH (COCO's JSON) or "
        "tfds:NAME (default: the recipe's)",
    )
    add(
        "--model",
        help="network: pale_n, pale_t, pale_s, pale_b, swin_t, cswin_t and others of "
        "pale_tf.configs.NETWORKS (default: that of a run in --weights, or the recipe's)",
    )
    add(
        "--attention",
        help="attention of all blocks, such as pale, shifted_window, cross_shaped or global: "
        "docs/attentions.md (default: that of a run in --weights, or the model's)",
    )
    add(
        "--options",
        type=option,
        nargs="+",
        metavar="FIELD=VALUE",
        help="other fields of pale_tf.PaleConfig than the model has, their values in JSON, such as "
        "share_attention=2: docs/efficiency.md (default: those of a run in --weights, or the "
        "recipe's)",
    )
    add("--epochs", type=positive_int, help="passes over the training data (default: the recipe's)")
    add(
        "--batch-size",
        type=positive_int,
        help="images in a step, over all replicas; the learning rate is in proportion "
        "(default: the recipe's)",
    )
    add(
        "--accumulate",
        type=positive_int,
        help="parts in which a batch is run one after the other, to save memory "
        "(default: the recipe's)",
    )
    add(
        "--freeze",
        type=int,
        nargs="+",
        choices=(1, 2, 3, 4),
        metavar="STAGE",
        help="stages whose weights stay as they are (default: the recipe's, none)",
    )
    add(
        "--learning-rate",
        type=positive_float,
        metavar="RATE",
        help="peak of the learning rate, at the recipe's own batch size (default: the recipe's)",
    )
    add(
        "--layer-decay",
        type=factor,
        metavar="FACTOR",
        help="of the learning rate from each block to the one before it, at most 1 "
        "(default: the recipe's, 1)",
    )
    add(
        "--teacher",
        metavar="RUN",
        help="run of a classifier whose outputs are learned beside the labels, or "
        "keras-applications:NAME with ImageNet's weights (default: the recipe's, none)",
    )
    add("--image-size", type=positive_int, help="height and width (default: the recipe's)")
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        help="Keras dtype policy (default: the recipe's)",
    )


def add_run_flags(add):
    """Flags of a single run: what it starts from, and where it is."""
    add(
        "--weights",
        type=existing_weights,
        metavar="RUN",
        help="run, or .keras or .weights.h5 file, to start from, at any size and with any classes; "
        "the model of a run is the default of --model (default: random weights)",
    )
    add("--seed", type=seed, help="seed of everything random (default: 0)")
    add("--out", type=pathlib.Path, help="folder of the run (default: runs/RECIPE-TIME)")
    add(
        "--resume",
        action="store_true",
        help="go on with the run in --out from its last checkpoint, or start it if there is none "
        "(default: a used folder is refused)",
    )
    add("--data-dir", type=pathlib.Path, help="folder of TFDS data sets (default: TFDS' own)")


def add_checkpoint_flags(add):
    """Flags of what is kept, and what is tolerated, on the way."""
    add(
        "--checkpoint-every",
        type=positive_int,
        metavar="STEPS",
        default=1000,
        help="steps between checkpoints; each epoch ends with one too (default: %(default)s)",
    )
    add(
        "--keep-checkpoints",
        type=positive_int,
        metavar="COUNT",
        default=3,
        help="checkpoints to keep, the last ones (default: %(default)s)",
    )
    add(
        "--max-unreadable",
        type=natural_int,
        metavar="COUNT",
        default=100,
        help="images that may be unreadable before the run ends (default: %(default)s)",
    )


def add_device_flags(add):
    """Flags of where and how a step is computed."""
    add(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        default="none",
        help="one device; all visible GPUs, or the CPU without any; or those of all machines that "
        "TF_CONFIG lists (default: %(default)s)",
    )
    add(
        "--wait",
        type=positive_int,
        default=300,
        metavar="SECONDS",
        help="time for the other workers of multi_worker to start (default: %(default)s)",
    )
    add(
        "--jit",
        action="store_true",
        help="compile the step with XLA: for GPUs; not under a strategy with mixed_float16 "
        "(default: off)",
    )
    add(
        "--steps-per-execution",
        type=positive_int,
        default=1,
        metavar="STEPS",
        help="steps that TensorFlow runs by itself, for small networks on fast GPUs; progress, "
        "checkpoints and SIGTERM wait for the last (default: %(default)s)",
    )
    add(
        "--rematerialize",
        type=int,
        nargs="+",
        choices=(1, 2, 3, 4),
        default=(),
        metavar="STAGE",
        help="stages that compute in the backward pass again what takes most memory (default: "
        "none)",
    )
    add(
        "--cpu-replicas",
        type=replicas,
        default=1,
        help="replicas that --strategy mirrored makes of the CPU, where there is no GPU "
        "(default: %(default)s)",
    )
