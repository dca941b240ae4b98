"""Trains a Pale Transformer: `python training/fit.py --strategy mirrored`."""

import contextlib
import dataclasses
import pathlib
import sys
import time

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from training.cli import Parser, make_folder, positive_int, quiet_tensorflow, seed
from training.recipe import MODELS, SettingError, load_recipe, recipe_names


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    recipe = apply_flags(load_recipe(flags.recipe), flags)
    if flags.out is None:
        flags.out = pathlib.Path("runs", f"{flags.recipe}-{time.strftime('%Y%m%d-%H%M%S')}")
    is_new = not flags.out.exists()
    check_flags(parser, flags)

    quiet_tensorflow()
    from training.run import train  # TensorFlow takes seconds to import; wrong flags do not wait

    try:
        train(recipe, flags)
    except SettingError as error:
        if is_new:
            with contextlib.suppress(OSError):  # it holds something after all
                flags.out.rmdir()
        parser.error(str(error))


def make_parser():
    """Flags of a run. Those that default to the recipe's value override it."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--recipe",
        choices=recipe_names(),
        default="digits",
        help="file in training/recipes/ (default: %(default)s)",
    )
    add("--model", choices=MODELS, help="network (default: the recipe's)")
    add(
        "--strategy",
        choices=("none", "mirrored"),
        default="none",
        help="one device, or tf.distribute.MirroredStrategy over all visible GPUs, or the CPU "
        "without any (default: %(default)s)",
    )
    add("--epochs", type=positive_int, help="passes over the training data (default: the recipe's)")
    add(
        "--batch-size",
        type=positive_int,
        help="images in a step, over all replicas (default: the recipe's)",
    )
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        help="Keras dtype policy (default: the recipe's)",
    )
    add("--seed", type=seed, default=0, help="seed of everything random (default: %(default)s)")
    add(
        "--out",
        type=pathlib.Path,
        help="folder of the run, new or empty (default: runs/RECIPE-TIME)",
    )
    add("--data-dir", type=pathlib.Path, help="folder of TFDS data sets (default: TFDS' own)")
    add(
        "--cpu-replicas",
        type=positive_int,
        default=1,
        help="replicas that --strategy mirrored makes of the CPU, where there is no GPU "
        "(default: %(default)s)",
    )
    return parser


def check_flags(parser, flags):
    """Checks what a flag's text alone does not tell, and makes the folders."""
    if flags.cpu_replicas > 1 and flags.strategy != "mirrored":
        parser.error("argument --cpu-replicas: needs --strategy mirrored")
    if flags.out.is_dir() and any(flags.out.iterdir()):
        parser.error(f"argument --out: the folder {flags.out} is not empty")
    if flags.data_dir is not None:
        make_folder(parser, "--data-dir", flags.data_dir)
    make_folder(parser, "--out", flags.out)


def apply_flags(recipe, flags):
    """Returns `recipe` with the values of the flags that were given."""
    names = ("model", "epochs", "batch_size", "precision")
    given = {name: getattr(flags, name) for name in names if getattr(flags, name) is not None}
    return dataclasses.replace(recipe, **given)


if __name__ == "__main__":
    main()
