"""Classifies image files with a trained network: `python training/predict.py RUN IMAGE…`."""

import argparse
import pathlib
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from training.cli import Parser, quiet_tensorflow, run_folder
from training.errors import SettingError
from training.recipe import read_config

TOP = 5


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", type=run_folder, help="folder that fit.py wrote")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=image_file, help="any format")
    flags = parser.parse_args(argv)

    quiet_tensorflow()  # which takes seconds to import; wrong flags do not wait
    import numpy as np

    from training.images import evaluation_image
    from training.model import load_network

    labels = (flags.run / "labels.txt").read_text().splitlines()
    try:
        model = load_network(flags.run / "model.keras")
        crop_fraction = read_config(flags.run)[0].crop_fraction
    except SettingError as error:
        parser.error(f"argument RUN: {error}")
    if len(labels) != model.output_shape[-1]:
        parser.error(
            f"argument RUN: {flags.run} has {len(labels)} labels for a network of "
            f"{model.output_shape[-1]} classes"
        )
    size = model.input_shape[1]
    batch = np.stack(
        [evaluation_image(np.asarray(image), size, crop_fraction) for _, image in flags.images]
    )
    for (path, _), scores in zip(flags.images, model.predict_on_batch(batch), strict=True):
        print(path)
        for index in np.argsort(-scores, kind="stable")[:TOP]:
            print(f"  {scores[index]:7.2%}  {labels[index]}")


def image_file(text):
    """argparse type: the path of an image, and the image as RGB, turned as its EXIF data say."""
    from PIL import Image, ImageOps

    try:
        with Image.open(text) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits, which `convert` would clip, not scale
                image = image.point(lambda value: value / 256).convert("L")
            return text, image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text} as an image: {error}") from None


if __name__ == "__main__":
    main()
