"""Applies a trained network to image files: `python training/predict.py RUN IMAGE…`."""

import argparse
import io
import pathlib
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, make_folder, run_folder
from common.runtime import import_tensorflow

BOUNDED = ("JPEG", "PNG", "GIF", "BMP", "WEBP")  # Pillow's names of what common.limits knows


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", type=run_folder, help="folder that fit.py wrote")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=image_file, help="any format")
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=pathlib.Path,
        help="folder of what the task writes of an image, if it does (default: RUN/predictions)",
    )
    with parser.stopping():
        flags = parser.parse_args(argv)

        from common.files import check_stems, replacing
        from common.trained import load_trained
        from training.tasks import load_task

        trained = load_trained(flags.run)
        task = load_task(trained.recipe["task"])
        out = flags.out or flags.run / "predictions"
        if task.predicted:
            check_stems(map(pathlib.Path, flags.images))
            make_folder(parser, "--out", out)
        elif flags.out is not None:
            task_name = trained.recipe["task"]
            parser.error(f"argument --out: the task {task_name!r} of the run writes no files")
        answers = task.predict(trained, map(upright, flags.images))
        for path, answer in zip(flags.images, answers, strict=True):
            print("\n  ".join([path, *answer.lines]))
            for end, content in answer.files.items():
                with replacing(out / f"{pathlib.Path(path).stem}{end}") as file:
                    file.write_bytes(content)
        for end, words in task.predicted.items():
            print(f"{out}/*{end}  {words}")


def upright(path):
    """Reads an image as training and the server do, turned as the EXIF data of a JPEG say.

    Warns on stderr of an image whose values were scaled to 0..1.

    Args:
        path: Path of an image file.

    Returns:
        uint8 `[H, W, 3]`.
    """
    import numpy as np

    from common.orientation import exif_orientation, turn
    from pale_tf.ranges import SCALED, is_scaled

    encoded = pathlib.Path(path).read_bytes()
    image = np.asarray(read_image(encoded))
    if is_scaled(image):
        print(f"{path}: warning: {SCALED}", file=sys.stderr)
    return turn(image, exif_orientation(encoded)).numpy()


def read_image(encoded):
    """Decodes an image file as RGB, as its pixels are stored.

    Args:
        encoded: Its bytes.

    Raises:
        ValueError: If it is no image, decoding it would take too much time or memory, see
            `common.limits`, or its values are floating-point numbers, whose range is not known.
    """
    from PIL import Image, UnidentifiedImageError

    from common.limits import MAX_PIXELS, is_bearable

    try:
        opened = Image.open(io.BytesIO(encoded))
    except UnidentifiedImageError:  # whose text names an object of Python
        raise ValueError("it is of no format that Pillow knows") from None
    with opened as image:
        costly = image.width * image.height > MAX_PIXELS
        if image.format in BOUNDED:
            costly = costly or not is_bearable(encoded)
        if costly:
            raise ValueError(
                f"{image.width}×{image.height} pixels, or the scans of a JPEG, are too many"
            )
        if image.mode == "F":
            raise ValueError("its values are floating-point numbers; save it with 8 or 16 bits")
        if image.mode.startswith("I"):  # 16 bits, which `convert` would clip, not scale
            image = image.point(lambda value: value / 256).convert("L")
        return image.convert("RGB")


def image_file(text):
    """argparse type: the path of an image. It is decoded, but not kept: there may be thousands."""
    from PIL import Image

    import_tensorflow()  # takes seconds; wrong flags before the images do not wait for it
    try:
        read_image(pathlib.Path(text).read_bytes())
        return text
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text} as an image: {error}") from None


if __name__ == "__main__":
    main()
