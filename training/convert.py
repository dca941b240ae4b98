"""Makes a run of somebody else's checkpoint: `python training/convert.py CHECKPOINT --out RUN`."""

import pathlib
import shlex
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, working_on
from common.errors import SettingError
from common.labels import check_labels
from common.run_files import LABELS
from common.runtime import import_tensorflow
from training.new_runs import check_new, new_run, write_run
from training.recipe import Recipe


def main(argv=None):
    parser = make_parser()
    flags = parser.parse_args(argv)
    with parser.stopping():
        check_new(flags.out)
        with working_on(f"reading {flags.checkpoint}"):
            import_tensorflow()
            found = read(flags.checkpoint)
            recipe = recipe_of(found.plan)
        with working_on(f"writing {flags.out}"), new_run(parser, flags.out) as folder:
            origin = {"checkpoint": str(flags.checkpoint)}
            write_run(folder, found.network, found.plan.labels, recipe, origin, "safetensors")
    print(summary(flags.out, recipe, found.plan.classes))


def make_parser():
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "checkpoint",
        metavar="CHECKPOINT",
        type=pathlib.Path,
        help="folder or safetensors file of transformers or timm: Swin, or UPerNet on Swin",
    )
    add("--out", type=pathlib.Path, required=True, help="folder of the run, new or empty")
    return parser


def read(path):
    """The `pale_tf.pretrained.Pretrained` of a checkpoint, or a `SettingError`."""
    from pale_tf.backbone import IMAGE_DEVIATION, IMAGE_MEAN
    from pale_tf.checkpoint_configs import FEATURES
    from pale_tf.pretrained import read_pretrained

    try:
        found = read_pretrained(path)
    except ValueError as error:
        text = " ".join(str(error).split()).replace("`path`", "argument CHECKPOINT")
        raise SettingError(text) from error
    if found.plan.architecture == FEATURES:
        raise SettingError(
            f"argument CHECKPOINT: {path} has no classifier, so it can be no run; "
            "`load_pretrained(…).save_weights('swin.weights.h5')` gives its backbone to `fit.py "
            "--model swin_t --weights swin.weights.h5`"
        )
    height, width = found.plan.image_size
    if height != width:
        raise SettingError(
            f"argument CHECKPOINT: {path} must take square images, as the programs make them. "
            f"Received: {height}×{width} pixels"
        )
    check_labels(found.plan.labels, "argument CHECKPOINT")
    numbers = [*found.plan.mean, *found.plan.deviation]
    usual = [*IMAGE_MEAN, *IMAGE_DEVIATION]
    if any(abs(a - b) > 1e-3 for a, b in zip(numbers, usual, strict=True)):
        raise SettingError(
            f"argument CHECKPOINT: {path} must normalize images by ImageNet's mean and deviation, "
            "as networks that fit.py builds do; `load_pretrained` takes others. Received: "
            f"{[round(number / 255, 3) for number in numbers]}"
        )
    return found


def recipe_of(plan):
    """The `Recipe` of the run: the network, and how images are prepared. It was not trained here,
    so there are no epochs."""
    from pale_tf.checkpoint_configs import SEGMENTER

    if plan.architecture == SEGMENTER:
        task = "segment"
        settings = {
            "channels": plan.channels,
            "auxiliary": False,
            "output_norms": True,
            "short_side": plan.image_size[0],
        }
    else:
        task, settings = "classify", {"crop_fraction": plan.crop_fraction}
    return Recipe(
        task=task,
        dataset="",
        model=plan.config,
        image_size=plan.image_size[0],
        epochs=0,
        batch_size=32 if task == "classify" else 1,
        learning_rate=0.0,
        base_batch_size=32,
        warmup_epochs=0,
        weight_decay=0.0,
        settings=settings,
    )


def summary(folder, recipe, classes):
    """A text for the user at the end."""
    size, out = recipe.image_size, shlex.quote(str(folder))
    start, data = "folder", "folder:PATH"
    if recipe.task == "segment":
        start, data = "segment_folder", "masks:PATH"
    named = "" if (folder / LABELS).exists() else "; the checkpoint does not name its classes"
    lines = [
        f"{recipe.model.name}, {classes} classes{named}, images of {size}×{size}",
        f"written to {folder}",
        "",
        "Next:",
        f"  python training/predict.py {out} IMAGE...",
        f"  python training/evaluate.py {out} --dataset {data}",
        f"  python training/fit.py --recipe {start} --dataset {data} --image-size {size} "
        f"--weights {out} --learning-rate 1e-4",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
