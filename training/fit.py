"""Trains a Pale Transformer: `python training/fit.py --strategy mirrored`."""

import contextlib
import dataclasses
import pathlib
import signal
import sys
import time

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, make_folder
from common.errors import ProgramError, SettingError, WriteError
from common.locks import locked
from common.run_files import CONFIG, is_run, read_config
from common.runtime import import_tensorflow, keep_memory
from training.distribution.cluster import read_cluster
from training.flags import (
    DEFAULT_RECIPE,
    add_checkpoint_flags,
    add_device_flags,
    add_recipe_flags,
    add_run_flags,
)
from training.recipe import Recipe, load_recipe, read_recipe
from training.settings import RunSettings


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


def check_options(recipe):
    """Raises a `SettingError` unless a network can have the options of a recipe."""
    if not recipe.options:
        return
    import_tensorflow()
    from training.tasks import network_config

    try:
        network_config(recipe)
    except ValueError as error:
        raise SettingError(f"argument --options: {' '.join(str(error).split())}") from error


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
    if flags.options is not None:
        given["options"] = dict(flags.options)  # added to those that there are
    check_network(flags.model, flags.attention)
    config = None if flags.out is None else flags.out / CONFIG
    if flags.resume and config is None:
        raise SettingError("argument --resume: needs --out, the folder of the run")
    if flags.resume and config.exists():
        recipe, own = read_own(flags, given)
    else:
        name, seed = flags.recipe or DEFAULT_RECIPE, flags.seed or 0
        out = flags.out or pathlib.Path("runs", f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
        recipe = load_recipe(name)
        options = recipe.options | given.get("options", {})
        recipe = dataclasses.replace(recipe, **given | {"options": options})
        if flags.weights is not None:
            recipe = with_network_of(flags.weights.parent, recipe, given)
        own = {"recipe": name, "out": out, "seed": seed, "weights": flags.weights}
    check_options(recipe)
    kept = {field.name for field in dataclasses.fields(RunSettings)} - set(own)
    rest = {name: getattr(flags, name) for name in kept}
    return recipe, RunSettings(**own, **rest | {"rematerialize": tuple(flags.rematerialize)})


def with_network_of(folder, recipe, given):
    """Gives a recipe the network of a run, which it is to start from.

    Args:
        folder: The run's folder. With any other, the recipe stays as it is.
        recipe: The `Recipe`.
        given: Dict of the flags that override the recipe. With a `model`, it stays as it is.

    Returns:
        A `Recipe`.
    """
    if "model" in given or not is_run(folder):
        return recipe
    import_tensorflow()  # before Keras does
    start = read_recipe(folder)
    attention = given.get("attention", start.attention)
    options = start.options | recipe.options
    recipe = dataclasses.replace(recipe, model=start.model, attention=attention, options=options)
    if start.task == recipe.task:
        from training.tasks import check_settings, load_task

        task = load_task(recipe.task)
        check_settings(task, start)
        own = task.settings(**start.settings)
        settings = {name: getattr(own, name) for name in task.network_settings}
        recipe = dataclasses.replace(recipe, settings=recipe.settings | settings)
    return recipe


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
        if name == "options":  # those given are some of those that the run has
            value = known | value
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
    if settings.jit and recipe.teacher is not None:
        parser.error("argument --jit: XLA does not compile what scales images for --teacher")
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
