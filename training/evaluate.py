"""Scores a trained network on any split: `python training/evaluate.py RUN`."""

import dataclasses
import pathlib
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, natural_int, new_file, positive_int, run_folder
from common.errors import ProgramError, SettingError
from common.run_files import EMA_MODEL, LABELS, MODEL
from common.runtime import quiet_tensorflow
from training.recipe import read_config

SPLITS = ("train", "validation", "test")
NETWORKS = {"raw": MODEL, "ema": EMA_MODEL}


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    quiet_tensorflow()
    try:
        scores = evaluate(flags)
    except ProgramError as error:
        parser.stop(error)
    from common.files import write_json

    path = flags.json or flags.run / f"evaluation-{flags.split}.json"
    try:
        write_json(path, scores)
    except ProgramError as error:
        parser.stop(error)
    print_table(scores, flags.classes)
    print(f"written to {path}")


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", type=run_folder, help="folder that fit.py wrote")
    add("--dataset", help="as in fit.py (default: the run's)")
    add("--split", choices=SPLITS, default="test", help="images to use (default: %(default)s)")
    add("--batch-size", type=positive_int, help="images in a step (default: the run's)")
    add("--data-dir", type=pathlib.Path, help="folder of TFDS data sets (default: TFDS' own)")
    add("--json", type=new_file, help="file to write (default: RUN/evaluation-SPLIT.json)")
    add(
        "--classes",
        type=natural_int,
        default=20,
        help="rows of classes in the table, the least accurate ones (default: %(default)s)",
    )
    add(
        "--max-unreadable",
        type=natural_int,
        metavar="COUNT",
        default=100,
        help="images that may fail to decode (default: %(default)s)",
    )
    return parser


def evaluate(flags):
    """Scores of the run's networks, by `raw` and `ema`, and what they are scores of."""
    recipe, _ = read_config(flags.run)
    if flags.batch_size is not None:
        recipe = dataclasses.replace(recipe, batch_size=flags.batch_size)
    from common.trained import load_network
    from training.data.sources import open_source
    from training.data.unreadable import Unreadable
    from training.loop.evaluation import predict_split, summarise

    dataset = flags.dataset or recipe.dataset
    source = open_source(dataset, flags.data_dir)
    labels = (flags.run / LABELS).read_text().splitlines()
    if labels != source.labels:
        raise SettingError(
            f"argument --dataset: the run has {len(labels)} classes, {labels[0]} to {labels[-1]}; "
            f"{dataset} has {len(source.labels)}, {source.labels[0]} to {source.labels[-1]}"
        )
    unreadable = Unreadable(flags.max_unreadable)
    scores = {"run": str(flags.run), "dataset": dataset, "split": flags.split}
    for name, file in NETWORKS.items():
        if (flags.run / file).exists():
            network = load_network(flags.run / file)
            predictions = predict_split(network, source, flags.split, recipe, unreadable)
            scores[name] = summarise(predictions, labels)
    return {**scores, "unreadable_images": unreadable.names}


def print_table(scores, rows):
    """Prints the scores of all networks, and of the least accurate classes."""
    import rich.console
    import rich.table

    found = [name for name in NETWORKS if name in scores]
    table = rich.table.Table(title=f"{scores['dataset']}, {scores['split']}")
    for heading in ("", "images", *found):
        table.add_column(heading, justify="left" if not heading else "right")
    images = str(scores["raw"]["images"])
    for title, key in (("top-1", "accuracy"), ("top-5", "top5_accuracy"), ("loss", "loss")):
        table.add_row(title, images, *(f"{scores[name][key]:.4f}" for name in found))
    table.add_section()
    classes = scores["raw"]["classes"]
    for label in sorted(classes, key=lambda label: classes[label]["accuracy"])[:rows]:
        accuracies = (scores[name]["classes"][label]["accuracy"] for name in found)
        table.add_row(label, str(classes[label]["images"]), *(f"{a:.4f}" for a in accuracies))
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
