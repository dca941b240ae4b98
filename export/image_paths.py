"""Image files named on a command line."""

import argparse
import pathlib

SUFFIXES = (".png", ".jpg", ".jpeg")


def add_images_flag(parser, purpose):
    """Adds the flag `--images`; `purpose` says what they are for."""
    parser.add_argument(
        "--images",
        metavar="PATH",
        nargs="+",
        type=image_source,
        default=[],
        help=f"{purpose}: files, or folders to search (default: RUN/calibration, or patterns)",
    )


def image_source(text):
    """argparse type: the path of a file, or of a folder with images in it."""
    path = pathlib.Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {text}")
    if not find_images([path]):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(SUFFIXES)} file in {text}")
    return path


def find_images(paths):
    """The files among `paths`, and the image files in the folders among them."""
    files = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*"))
            files += [file for file in inside if file.suffix.lower() in SUFFIXES and file.is_file()]
        elif path.is_file():
            files.append(path)
    return files
