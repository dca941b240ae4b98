"""Trains a Pale Transformer: `python training/fit.py --strategy mirrored`."""

import contextlib
import dataclasses
import pathlib
import sys
import time

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, existing_weights, make_folder, natural_int, positive_int, seed
from common.errors import ProgramError, SettingError, WriteError
from common.run_files import CONFIG
from common.runtime import quiet_tensorflow
from training.distribution.cluster import read_cluster
from training.recipe import MODELS, Recipe, load_recipe, read_config, read_weights, recipe_names

DEFAULT_RECIPE = "digits"


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    quiet_tensorflow()
    is_new = flags.out is None or not flags.out.exists()
    try:
        recipe = choose_recipe(flags)
        check_flags(parser, flags, recipe)
        from training.loop.run import (
            train,  # TensorFlow takes seconds to import; errors do not wait
        )

        train(recipe, flags)
    except ProgramError as error:
        if is_new and flags.out is not None:
            with contextlib.suppress(OSError):  # it holds something after all
                flags.out.rmdir()
        parser.stop(error, at_once=flags.strategy == "multi_worker")
    except OSError as error:
        parser.stop(WriteError(f"cannot go on: {error}"), at_once=True)


def make_parser():
    """Flags of a run."""
    parser = Parser(__doc__)
    add_recipe_flags(parser.add_argument)
    add_run_flags(parser.add_argument)
    return parser


def add_recipe_flags(add):
    """Flags that choose a recipe, and that override it."""
    add(
        "--recipe",
        choices=recipe_names(),
        help=f"file in training/recipes/ (default: {DEFAULT_RECIPE})",
    )
    add(
        "--dataset",
        help="digits, imagenet2012, folder:PATH (PATH/LABEL/*.jpg, or below train, validation and "
        "test), or tfds:NAME (default: the recipe's)",
    )
    add("--model", choices=MODELS, help="network (default: the recipe's)")
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
    add("--image-size", type=positive_int, help="height and width (default: the recipe's)")
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        help="Keras dtype policy (default: the recipe's)",
    )


def add_run_flags(add):
    """Flags that are no matter of the recipe."""
    add(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        default="none",
        help="one device; all visible GPUs, or the CPU without any; or those of all machines that "
        "TF_CONFIG lists (default: %(default)s)",
    )
    add(
        "--weights",
        type=existing_weights,
        metavar="RUN",
        help="run, or .keras or .weights.h5 file, to start from; of the same model, at any size "
        "and with any classes (default: random weights)",
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
        help="images that may fail to decode before the run ends (default: %(default)s)",
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
        type=positive_int,
        default=1,
        help="replicas that --strategy mirrored makes of the CPU, where there is no GPU "
        "(default: %(default)s)",
    )


def choose_recipe(flags):
    """Returns the recipe with the values of the flags that were given, and completes the flags.

    A run that goes on keeps its own recipe and seed.

    Raises:
        SettingError: If a flag contradicts the run that is to go on.
    """
    overrides = [field.name for field in dataclasses.fields(Recipe) if hasattr(flags, field.name)]
    given = {name: getattr(flags, name) for name in overrides if getattr(flags, name) is not None}
    config = None if flags.out is None else flags.out / CONFIG
    if flags.resume and config is None:
        raise SettingError("argument --resume: needs --out, the folder of the run")
    if not (flags.resume and config.exists()):
        flags.recipe = flags.recipe or DEFAULT_RECIPE
        flags.seed = flags.seed or 0
        if flags.out is None:
            flags.out = pathlib.Path("runs", f"{flags.recipe}-{time.strftime('%Y%m%d-%H%M%S')}")
        return dataclasses.replace(load_recipe(flags.recipe), **given)

    recipe, own_seed = read_config(flags.out)
    own = {**dataclasses.asdict(recipe), "seed": own_seed, "weights": read_weights(flags.out)}
    given |= {name: getattr(flags, name) for name in ("seed", "weights")}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if value != own[name]:
            raise SettingError(
                f"argument --{name.replace('_', '-')}: the run in {flags.out} has {own[name]}, and "
                f"goes on with it. Received: {value}"
            )
    flags.seed, flags.weights = own["seed"], own["weights"]
    return recipe


def check_flags(parser, flags, recipe):
    """Checks what a flag's text alone does not tell, and makes the folders."""
    if flags.cpu_replicas > 1 and flags.strategy != "mirrored":
        parser.error("argument --cpu-replicas: needs --strategy mirrored")
    if flags.steps_per_execution > 1 and flags.strategy == "multi_worker":
        parser.error("argument --steps-per-execution: must be 1 with --strategy multi_worker")
    if flags.jit and flags.strategy != "none" and recipe.precision == "mixed_float16":
        parser.error(
            "argument --jit: TensorFlow crashes under a strategy with mixed_float16 (keras#21366); "
            "--precision mixed_bfloat16 and --strategy none do not"
        )
    used = flags.out.is_dir() and any(path.name[0] != "." for path in flags.out.iterdir())
    if flags.strategy == "multi_worker" and read_cluster()[0] > 0:
        used = (flags.out / "checkpoints").exists()  # the rest may be what the chief just wrote
    if used and not flags.resume:
        parser.error(
            f"argument --out: the folder {flags.out} is not empty (--resume goes on with its run)"
        )
    if used and flags.resume and not (flags.out / CONFIG).exists():
        parser.error(f"argument --resume: the folder {flags.out} holds no run")
    if flags.data_dir is not None:
        make_folder(parser, "--data-dir", flags.data_dir)
    make_folder(parser, "--out", flags.out)


if __name__ == "__main__":
    main()
