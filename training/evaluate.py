"""Scores a trained network on any split: `python training/evaluate.py RUN`."""

import dataclasses
import pathlib
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import (
    Parser,
    natural_int,
    new_file,
    positive_float,
    positive_int,
    run_folder,
)
from common.errors import SettingError
from common.run_files import EMA_MODEL, MODEL
from common.runtime import import_tensorflow
from training.recipe import read_recipe

SPLITS = ("train", "validation", "test")
NETWORKS = {"raw": MODEL, "ema": EMA_MODEL}


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    if flags.cascade and (flags.scales != [1.0] or flags.flip):
        parser.error("argument --cascade: not with --scales or --flip")
    kind = "-cascade" if flags.cascade else ""
    path = flags.json or flags.run / f"evaluation-{flags.split}{kind}.json"
    with parser.stopping():
        import_tensorflow()
        from common.files import write_json
        from training.cascades import print_cascade

        recipe = read_recipe(flags.run)
        changes = {"dataset": flags.dataset, "batch_size": flags.batch_size}
        changes = {name: value for name, value in changes.items() if value is not None}
        recipe = dataclasses.replace(recipe, **changes)
        if not recipe.dataset:
            raise SettingError(f"argument --dataset: the run in {flags.run} has no data of its own")
        arguments = (flags.run, recipe, flags.split, flags.data_dir, flags.max_unreadable)
        if flags.cascade:
            scores = evaluate_sizes(*arguments, flags.cascade)
        else:
            scores = evaluate(*arguments, scales=tuple(flags.scales), flip=flags.flip)
        write_json(path, scores)
        written = [path, draw_cascade(scores, path)] if flags.cascade else [path]
    if flags.cascade:
        print_cascade(scores)
    else:
        print_table(scores, flags.classes)
    print(f"written to {' and '.join(map(str, written))}")


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=run_folder, help="folder that fit.py wrote")
    add("--dataset", help="as in fit.py (default: the run's)")
    add("--split", choices=SPLITS, default="test", help="images to use (default: %(default)s)")
    add("--batch-size", type=positive_int, help="images in a step (default: the run's)")
    add("--data-dir", type=pathlib.Path, help="folder of TFDS data sets (default: TFDS' own)")
    add(
        "--json",
        type=new_file,
        help="file to write (default: RUN/evaluation-SPLIT.json, or evaluation-SPLIT-cascade.json)",
    )
    add(
        "--classes",
        type=natural_int,
        default=20,
        help="rows of classes in the table, those with the lowest scores (default: %(default)s)",
    )
    add(
        "--scales",
        type=positive_float,
        nargs="+",
        default=[1.0],
        metavar="SCALE",
        help="sizes of whole images to average over, as factors of their usual one, where the "
        "task has such a test (default: 1)",
    )
    add(
        "--cascade",
        type=size_and_run,
        nargs="+",
        metavar="SIZE[=RUN]",
        help="heights and widths that an image is tried at until model.keras, of RUN or of a run "
        "for that size, is sure of its class, the smallest first: accuracy against cost (default: "
        "the network's own size alone)",
    )
    add("--flip", action="store_true", help="average over mirrored images too (default: off)")
    add(
        "--max-unreadable",
        type=natural_int,
        metavar="COUNT",
        default=100,
        help="images that may be unreadable (default: %(default)s)",
    )
    return parser


def size_and_run(text):
    """argparse type: `SIZE`, or `SIZE=RUN`, the folder of a run for that size; else None."""
    size, equals, folder = text.partition("=")
    return positive_int(size), run_folder(folder) if equals else None


def evaluate(run, recipe, split, data_dir=None, max_unreadable=100, scales=(1.0,), flip=False):
    """Scores the networks of a run.

    Args:
        run: The run's folder.
        recipe: The `Recipe`: task, data set, batch size, and how images are prepared.
        split: `train`, `validation` or `test`.
        data_dir: Folder of TFDS data sets, or None for TFDS' own.
        max_unreadable: Number of images that may be unreadable.
        scales: Factors of the size of whole images, over which outputs are averaged.
        flip: Whether they are averaged over mirrored images too.

    Returns:
        Dict of the scores by `raw` and `ema`, and of what they are scores of.

    Raises:
        ProgramError: If the data are not those of such a network, or cannot be read.
    """
    from common.trained import load_network
    from training.loop.evaluation import evaluate_networks
    from training.tasks import load_task

    task, options = load_task(recipe.task), {}
    if scales != (1.0,) or flip:
        if not task.multi_scale:
            raise SettingError(
                f"argument --scales, --flip: the task {recipe.task!r} of the run tests images at "
                "one size"
            )
        options = {"scales": scales, "flip": flip}
    data = open_data(run, task, recipe, split, data_dir, max_unreadable)
    networks = {
        name: task.make_inference(load_network(run / file), recipe.settings, **options)
        for name, file in NETWORKS.items()
        if (run / file).exists()
    }
    reports = evaluate_networks(networks, task, **data)
    scores = {"run": str(run), "dataset": recipe.dataset, "split": split, **options}
    scores["score"] = task.class_score or task.score
    for name, report in reports.items():
        scores[name] = {"images": report.images, **report.scores(), "classes": report.classes()}
    return {**scores, "unreadable_images": data["unreadable"].names}


def evaluate_sizes(run, recipe, split, data_dir, max_unreadable, steps):
    """Scores a cascade of image sizes, of the network of a run and of those of others.

    Args:
        run, recipe, split, data_dir, max_unreadable: As in `evaluate`.
        steps: Pairs of a height and width, in pixels, the smallest first, and of the folder of a
            run whose network takes it, or None for that of `run`.

    Returns:
        Dict of what `training.cascades.evaluate_cascade` returns, and of what it is of, with the
        `runs` by size.

    Raises:
        ProgramError: As in `evaluate`, or if the task has no cascades, the sizes do not grow, or a
            run is of another task or other classes.
    """
    from common.trained import load_network
    from pale_tf.cascade import at_size, check_sizes
    from training.cascades import evaluate_cascade
    from training.tasks import load_task

    task, sizes = load_task(recipe.task), [size for size, _ in steps]
    if not task.cascades:
        raise SettingError(
            f"argument --cascade: the task {recipe.task!r} of the run gives more than one class"
        )
    try:
        check_sizes(sizes)
    except ValueError as error:
        raise SettingError(f"argument --cascade: {error}") from error
    recipe = dataclasses.replace(recipe, image_size=max(sizes))  # others are scaled from that
    runs = {size: folder or run for size, folder in steps}
    for folder in runs.values():
        if (other := read_recipe(folder).task) != recipe.task:
            raise SettingError(
                f"argument --cascade: {folder} must be a run of the task {recipe.task!r}. "
                f"Received: {other!r}"
            )
    data = open_data(run, task, recipe, split, data_dir, max_unreadable)
    for folder in {folder for _, folder in steps if folder}:
        check_files(folder, task, data["source"], recipe.dataset, "--cascade", "--cascade")
    loaded = {folder: load_network(folder / MODEL) for folder in set(runs.values())}
    networks = {size: at_size(loaded[folder], size) for size, folder in runs.items()}
    scores = {"run": str(run), "dataset": recipe.dataset, "split": split}
    scores["runs"] = {size: str(folder) for size, folder in runs.items()}
    scores |= evaluate_cascade(networks, task, **data)
    return {**scores, "unreadable_images": data["unreadable"].names}


def open_data(run, task, recipe, split, data_dir, max_unreadable):
    """Opens the data that a run is scored on, and checks that they are of its kind.

    Returns:
        Dict of arguments of `evaluate_networks`.

    Raises:
        ProgramError: As in `evaluate`.
    """
    from training.data.unreadable import Unreadable

    source = task.open_source(recipe.dataset, data_dir)
    check_files(run, task, source, recipe.dataset, "RUN", "--dataset")
    return {
        "source": source,
        "split": split,
        "transforms": task.make_transforms(recipe, source),
        "batch_size": recipe.batch_size,
        "unreadable": Unreadable(max_unreadable),
    }


def check_files(run, task, source, dataset, own_argument, argument):
    """Raises a `SettingError` unless a run has the classes of a data set: it names `argument`, or
    `own_argument` if the run's cannot be read."""
    for name, text in task.files(source).items():
        try:
            own = (run / name).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(
                f"argument {own_argument}: cannot read {run / name}: {error}"
            ) from error
        if own != text:
            raise SettingError(
                f"argument {argument}: {run / name} has {_ends(own)}; {dataset} has {_ends(text)}"
            )


def draw_cascade(scores, path):
    """Draws the curve of a cascade beside the file of its scores, and returns its path."""
    from common.files import replacing
    from training.pictures import plot_cascade

    picture = path.with_suffix(".png")
    with replacing(picture) as temporary:
        plot_cascade(scores["sizes"], scores["curve"], temporary)
    return picture


def _ends(text):
    """The lines of a file in a few words."""
    lines = text.splitlines()
    return f"{len(lines)} lines, {lines[0]} to {lines[-1]}" if lines else "no lines"


def print_table(scores, rows):
    """Prints the scores of all networks, and those of the classes with the lowest scores.

    Args:
        scores: Dict that `evaluate` returned.
        rows: Classes at most.
    """
    import rich.console
    import rich.table

    found = [name for name in NETWORKS if name in scores]
    table = rich.table.Table(title=f"{scores['dataset']}, {scores['split']}")
    for heading in ("", "images", *found):
        table.add_column(heading, justify="left" if not heading else "right")
    raw = scores["raw"]
    for key in (key for key in raw if key not in ("images", "classes")):
        numbers = (f"{scores[name][key]:.4f}" for name in found)
        table.add_row(key, str(raw["images"]), *numbers)
    table.add_section()
    score, classes = scores["score"], {}
    for name in reversed(found):  # the images of a class are the same for all
        classes |= scores[name]["classes"]
    for label in sorted(classes, key=lambda label: classes[label][score])[:rows]:
        # A class that is not in the images has a score only where it is predicted.
        own = [scores[name]["classes"].get(label) for name in found]
        numbers = ("" if row is None else f"{row[score]:.4f}" for row in own)
        table.add_row(label, str(classes[label]["images"]), *numbers)
    rich.console.Console(markup=False, emoji=False).print(table)


if __name__ == "__main__":
    main()
