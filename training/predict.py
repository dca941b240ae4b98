"""Classifies image files with a trained network: `python training/predict.py RUN IMAGE…`."""

import argparse
import pathlib
import sys

if not __package__:  # run as a file: import from the repository, not from this folder
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from common.cli import Parser, run_folder
from common.errors import SettingError
from common.runtime import quiet_tensorflow

TOP = 5
BATCH = 32


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", type=run_folder, help="folder that fit.py wrote")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=image_file, help="any format")
    flags = parser.parse_args(argv)

    quiet_tensorflow()  # which takes seconds to import; wrong flags do not wait
    import numpy as np

    from common.preparation import evaluation_image
    from common.trained import load_trained

    try:
        network, labels, crop_fraction, _ = load_trained(flags.run)
    except SettingError as error:
        parser.error(f"argument RUN: {error}")
    size = network.input_shape[1]
    for start in range(0, len(flags.images), BATCH):
        paths = flags.images[start : start + BATCH]
        images = [np.asarray(read_image(path)) for path in paths]
        batch = np.stack([evaluation_image(image, size, crop_fraction) for image in images])
        for path, scores in zip(paths, network.predict_on_batch(batch), strict=True):
            print(path)
            for index in np.argsort(-scores, kind="stable")[:TOP]:
                print(f"  {scores[index]:7.2%}  {labels[index]}")


def read_image(path):
    """An image file as RGB, turned as its EXIF data say."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits, which `convert` would clip, not scale
            image = image.point(lambda value: value / 256).convert("L")
        return image.convert("RGB")


def image_file(text):
    """argparse type: the path of an image. It is decoded, but not kept: there may be thousands."""
    from PIL import Image

    try:
        read_image(text)
        return text
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text} as an image: {error}") from None


if __name__ == "__main__":
    main()
