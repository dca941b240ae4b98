"""Prunes a run that learned which channels it needs: `python training/prune.py RUN --keep 0.6`."""

import dataclasses
import pathlib
import shlex
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, factor, run_folder, working_on
from common.errors import SettingError
from common.run_files import CALIBRATION, read_config
from common.runtime import import_tensorflow
from training.new_runs import check_new, new_run, write_run
from training.recipe import read_recipe


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    with parser.stopping():
        check_new(flags.out)
        with working_on(f"pruning {flags.run}"):
            import_tensorflow()
            from common.trained import load_trained

            recipe = read_recipe(flags.run)
            check_sparsity(recipe)
            trained = load_trained(flags.run)
            name = read_config(flags.run).get("flags", {}).get("recipe")
            network, recipe = pruned(trained.network, recipe, flags.keep)
        with working_on(f"writing {flags.out}"), new_run(parser, flags.out) as folder:
            origin = {"pruned": {"run": str(flags.run), "keep": flags.keep}}
            own = own_files(flags.run, recipe)
            write_run(folder, network, trained.labels, recipe, origin, copied=own)
    print_table(trained.network, network)
    print(summary(flags.out, name, recipe))


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=run_folder, help="run of fit.py --options sparsity=VALUE")
    add(
        "--keep",
        type=factor,
        required=True,
        metavar="SHARE",
        help="of the hidden units of the MLPs, and of the values of the attentions, that stays",
    )
    add("--out", type=pathlib.Path, required=True, help="folder of the new run, new or empty")
    return parser


def check_sparsity(recipe):
    """Raises a `SettingError` unless the network of a recipe has scores."""
    from training.tasks import network_config

    config = network_config(recipe)
    if config.sparsity:
        return
    if config.mlp_widths is not None:
        raise SettingError(
            "argument RUN: must be a run with scores; this one is pruned already and has none. "
            "Prune the run that it was made of"
        )
    raise SettingError(
        "argument RUN: must have been trained with `--options sparsity=VALUE`, such as 1e-4, so "
        "that it knows which channels it needs. Received: a run with sparsity=0"
    )


def own_files(run, recipe):
    """Paths in a run's folder that say what its classes are, and images to calibrate with: what is
    true of its pruned network too."""
    from training.tasks import load_task

    names = [name for name in load_task(recipe.task).contents if name.endswith(".json")]
    return [path for path in (run / name for name in (*names, CALIBRATION)) if path.exists()]


def pruned(network, recipe, keep):
    """Prunes the network of a run.

    Args:
        network: The `keras.Model`.
        recipe: The run's `Recipe`.
        keep: Share that stays, in `(0, 1]`.

    Returns:
        The smaller `keras.Model`, and the `Recipe` that builds it.
    """
    from pale_tf.prune import prune, pruned_config
    from training.tasks import network_config

    smaller = prune(network, keep)
    config = pruned_config(network_config(recipe), smaller)
    return smaller, dataclasses.replace(recipe, model=config, attention=None, options={})


def print_table(before, after):
    """Prints how much is left of a network, part by part."""
    import rich.console
    import rich.table

    table = rich.table.Table()
    for heading in ("", "before", "after", "left"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, kind, count in ROWS:
        old, new = (sum(map(count, kind(network))) for network in (before, after))
        table.add_row(name, f"{old:,}", f"{new:,}", f"{new / old:.0%}")
    rich.console.Console(markup=False, emoji=False).print(table)


def _layers(part):
    """Function of a network to those of its layers that are such a part of a block."""
    return lambda network: [layer for layer in network.layers if layer.name.endswith(part)]


ROWS = (
    ("hidden units", _layers("_mlp"), lambda layer: layer.expand.units),
    (
        "channels of values",
        _layers("_attention"),
        lambda layer: layer.output_projection.kernel.shape[0],
    ),
    ("parameters", lambda network: [network], lambda network: network.count_params()),
)


def summary(folder, name, recipe):
    """A text for the user at the end; `name` is that of the recipe, or None."""
    arguments = {"--recipe": name, "--dataset": recipe.dataset, "--image-size": recipe.image_size}
    arguments |= {"--weights": folder}
    given = (f"{flag} {shlex.quote(str(value))}" for flag, value in arguments.items() if value)
    return "\n".join(
        [
            f"written to {folder}",
            "",
            "Next, to win back what was lost:",
            f"  python training/fit.py {' '.join(given)} --learning-rate 1e-4",
        ]
    )


if __name__ == "__main__":
    main()
