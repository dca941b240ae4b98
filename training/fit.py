"""Trains a Pale Transformer: `python training/fit.py --strategy mirrored`."""

import contextlib
import dataclasses
import pathlib
import signal
import sys
import time

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import (
    Parser,
    existing_weights,
    make_folder,
    natural_int,
    positive_int,
    replicas,
    seed,
)
from common.errors import ProgramError, SettingError, WriteError
from common.locks import locked
from common.run_files import CONFIG, read_config
from common.runtime import import_tensorflow, keep_memory
from training.distribution.cluster import read_cluster
from training.recipe import Recipe, load_recipe, read_recipe, recipe_names
from training.settings import RunSettings

DEFAULT_RECIPE = "digits"


def check_network(model, attention):
    """Raises a `SettingError` unless two flags name a network and an attention, or are None."""
    if model is None and attention is None:
        return
    import_tensorflow()  # takes seconds, but will be needed anyway
    from pale_tf.configs import NETWORKS
    from pale_tf.layers.attention import ATTENTIONS

    for flag, name, known in (("model", model, NETWORKS), ("attention", attention, ATTENTIONS)):
        if name is not None and name not in known:
            names = ", ".join(known)
            raise SettingError(f"argument --{flag}: must be one of {names}; got {name!r}")


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    is_new = flags.out is None or not flags.out.exists()
    out = flags.out
    try:
        recipe, settings = choose(flags)
        out = settings.out
        check(parser, recipe, settings)
        with lock_of(settings):
            check_folder(parser, settings, flags.resume)
            import_tensorflow()  # takes seconds; wrong flags do not wait for it
            from training.loop.run import train

            train(recipe, settings)
    except ProgramError as error:
        if is_new and out is not None:
            with contextlib.suppress(OSError):  # it holds something after all
                out.rmdir()
        parser.stop(error, at_once=flags.strategy == "multi_worker")
    except KeyboardInterrupt:
        message = "interrupted; --resume goes on from the last checkpoint"
        parser.exit(128 + signal.SIGINT, f"\n{parser.prog}: {message}\n")
    except OSError as error:
        parser.stop(WriteError(f"cannot go on: {error}"), at_once=True)


def make_parser():
    """Flags of a run."""
    parser = Parser(__doc__)
    add_recipe_flags(parser.add_argument)
    add_run_flags(parser.add_argument)
    add_checkpoint_flags(parser.add_argument)
    add_device_flags(parser.add_argument)
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
        help="for classes of images: digits, imagenet2012, folder:PATH (PATH/LABEL/*.jpg, or below "
        "train, validation and test), or tfds:NAME; for classes of pixels: digit_scenes, "
        "masks:PATH (PATH/images/*.jpg and PATH/masks/*.png, or below train, validation and "
        "test), ade20k:PATH, or tfds:NAME; for objects: digit_scenes, coco:PATH (COCO's JSON) or "
        "tfds:NAME (default: the recipe's)",
    )
    add(
        "--model",
        help="network: pale_n, pale_t, pale_s, pale_b, swin_t, cswin_t and others of "
        "pale_tf.configs.NETWORKS (default: the recipe's)",
    )
    add(
        "--attention",
        help="attention of all blocks, such as pale, shifted_window, cross_shaped or global: "
        "docs/attentions.md (default: the model's)",
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


def choose(flags):
    """Makes a recipe and settings of the flags.

    A run that goes on keeps its own recipe, seed and weights.

    Returns:
        The `Recipe` and the `RunSettings`.

    Raises:
        SettingError: If a flag contradicts the run that is to go on.
    """
    fields = [field.name for field in dataclasses.fields(Recipe)]
    given = {name: getattr(flags, name, None) for name in fields}
    given = {name: value for name, value in given.items() if value is not None}
    check_network(flags.model, flags.attention)
    config = None if flags.out is None else flags.out / CONFIG
    if flags.resume and config is None:
        raise SettingError("argument --resume: needs --out, the folder of the run")
    if flags.resume and config.exists():
        recipe, own = read_own(flags, given)
    else:
        name, seed = flags.recipe or DEFAULT_RECIPE, flags.seed or 0
        out = flags.out or pathlib.Path("runs", f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
        recipe = dataclasses.replace(load_recipe(name), **given)
        own = {"recipe": name, "out": out, "seed": seed, "weights": flags.weights}
    kept = {field.name for field in dataclasses.fields(RunSettings)} - set(own)
    rest = {name: getattr(flags, name) for name in kept}
    return recipe, RunSettings(**own, **rest | {"rematerialize": tuple(flags.rematerialize)})


def read_own(flags, given):
    """Reads the recipe, and the settings that cannot change, of the run that is to go on.

    Args:
        flags: The parsed flags.
        given: Dict of the flags that override the recipe.

    Returns:
        The `Recipe`, and a dict of `out`, `seed`, `weights` and `recipe`, its name.

    Raises:
        SettingError: If a flag contradicts the run.
    """
    recipe, config = read_recipe(flags.out), read_config(flags.out)
    recorded = config.get("flags", {})
    weights, name = recorded.get("weights"), recorded.get("recipe")
    own = {"seed": config.get("seed"), "weights": weights and pathlib.Path(weights), "recipe": name}
    if own["seed"] is None:
        raise SettingError(f"{flags.out / CONFIG} is not the configuration of a run: no seed")
    given = given | {name: getattr(flags, name) for name in own}
    for name, value in given.items():
        known = own[name] if name in own else getattr(recipe, name)
        if value is not None and value != known:
            raise SettingError(
                f"argument --{name.replace('_', '-')}: the run in {flags.out} has {known}, and "
                f"goes on with it. Received: {value}"
            )
    return recipe, {"out": flags.out, **own}


def check(parser, recipe, settings):
    """Checks what a flag's text alone does not tell, and makes the folders."""
    if settings.cpu_replicas > 1 and settings.strategy != "mirrored":
        parser.error("argument --cpu-replicas: needs --strategy mirrored")
    if settings.steps_per_execution > 1 and settings.strategy == "multi_worker":
        parser.error("argument --steps-per-execution: must be 1 with --strategy multi_worker")
    if settings.jit and settings.strategy != "none" and recipe.precision == "mixed_float16":
        parser.error(
            "argument --jit: TensorFlow crashes under a strategy with mixed_float16 (keras#21366); "
            "--precision mixed_bfloat16 and --strategy none do not"
        )
    if settings.data_dir is not None:
        make_folder(parser, "--data-dir", settings.data_dir)
    make_folder(parser, "--out", settings.out)


def lock_of(settings):
    """A context in which no other process trains in the folder of the run."""
    if settings.strategy == "multi_worker" and read_cluster()[0] > 0:
        return contextlib.nullcontext()  # the chief writes, and has the lock
    return locked(settings.out, "--out")


def check_folder(parser, settings, resume):
    """Checks that the folder of the run is new, or holds one to go on with."""
    out = settings.out
    used = any(path.name[0] != "." for path in out.iterdir())
    if settings.strategy == "multi_worker" and read_cluster()[0] > 0:
        used = (out / "checkpoints").exists()  # the rest may be what the chief just wrote
    if used and not resume:
        parser.error(
            f"argument --out: the folder {out} is not empty (--resume goes on with its run)"
        )
    if used and resume and not (out / CONFIG).exists():
        parser.error(f"argument --resume: the folder {out} holds no run")


if __name__ == "__main__":
    keep_memory()
    main()
