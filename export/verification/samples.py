"""Images to compare networks on."""

import numpy as np
import tensorflow as tf

from common.errors import SettingError
from common.preparation import crop_fraction_of, evaluation_image
from common.run_files import CALIBRATION
from export.image_paths import find_images
from export.serving.decoding import decode_upright

BUILT_IN = 16
CALIBRATION_IMAGES = 64


def images_for(trained, paths, size, count):
    """Images to run a network on, prepared as evaluation does.

    Args:
        trained: A `Trained`.
        paths: Files, and folders to search; empty for those that the run keeps for the purpose, or
            patterns where it keeps none.
        size: Height and width, in pixels.
        count: Images at most; of more, every k-th is taken.

    Returns:
        float32 `[N, size, size, 3]`, values in 0..255, and where they are from.

    Raises:
        SettingError: If one cannot be decoded.
    """
    files = find_images(paths or [trained.folder / CALIBRATION])
    if not files:
        return built_in_images(size), "patterns"
    files = files[:: -(-len(files) // count)]
    crop_fraction = crop_fraction_of(trained.recipe)
    images = [read_image(file, size, crop_fraction) for file in files]
    return np.stack(images), str(files[0].parent)


def calibration_images(trained, paths, size):
    """Images to find the ranges of activations with, as `images_for` gives them.

    Raises:
        SettingError: If there are none but patterns, or one cannot be decoded.
    """
    images, origin = images_for(trained, paths, size, CALIBRATION_IMAGES)
    if origin == "patterns":
        raise SettingError(
            "argument --images: int8 needs images like those that the network will see; "
            f"there are none in {trained.folder}"
        )
    return images


def read_image(file, size, crop_fraction):
    """Reads an image file, turned as its EXIF data say and prepared as evaluation does.

    Returns:
        float32 `[size, size, 3]`, values in 0..255.

    Raises:
        SettingError: If it cannot be decoded.
    """
    try:
        image = decode_upright(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingError(f"argument --images: cannot read {file} as an image") from error
    return evaluation_image(image, size, crop_fraction).numpy()


def built_in_images(size):
    """Smooth random patterns of all brightnesses: float32 `[16, size, size, 3]`."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (BUILT_IN, 5, 5, 3)).astype("float32")
    smooth = tf.image.resize(coarse, (size, size), "bicubic").numpy()
    return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype("float32")
