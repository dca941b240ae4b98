"""Run folders of segmenters that nobody trained, whose classes are decided all the same."""

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from common.files import write_json
from common.labels import labels_text
from pale_tf.segmenter import pale_segmenter

SIZE = 64
LABELS = ["background", "roof", "leaves", "sky"]


def make_segmenter():
    """A segmenter with random weights, whose classes are sectors of the features' main plane.

    With random scores, many more pixels would lie between two classes.
    """
    keras.utils.set_random_seed(0)
    network = pale_segmenter("nano", len(LABELS), (None, None, 3), channels=16)
    scores = network.get_layer("predictions")
    features = keras.Model(network.inputs[0], scores.input)
    values = features(photographs(8, SIZE)).numpy().reshape(-1, 16)
    mean = values.mean(axis=0)
    _, deviations, directions = np.linalg.svd(values - mean, full_matrices=False)
    scale = np.sqrt(len(values)) / deviations[:2, None]
    angles = 2 * np.pi * np.arange(len(LABELS)) / len(LABELS)
    kernel = (scale * directions[:2]).T @ np.stack([np.cos(angles), np.sin(angles)])
    scores.set_weights([3 * kernel[None, None], -3 * (mean @ kernel + np.cos(angles))])
    return network


def make_segmenter_run(folder, network):
    """Fills the folder of a run as training does."""
    network.save(folder / "model.keras")
    recipe = {"task": "segment", "dataset": "photographs", "image_size": SIZE}
    recipe["settings"] = {"short_side": None}
    write_json(folder / "config.json", {"recipe": recipe, "seed": 1})
    (folder / "labels.txt").write_text(labels_text(LABELS))
    calibration = folder / "calibration"
    calibration.mkdir()
    for index, image in enumerate(photographs(8, SIZE)):
        Image.fromarray(image.astype("uint8")).save(calibration / f"{index}.png")
    return folder


def photographs(count, height, width=None):
    """Parts of photographs, float32 `[count, height, width, 3]`, whole numbers."""
    width = width or height
    rng = np.random.default_rng(0)
    parts = []
    for index in range(count):
        image = load_sample_image(("china.jpg", "flower.jpg")[index % 2])
        y, x = rng.integers(image.shape[0] - height + 1), rng.integers(image.shape[1] - width + 1)
        parts.append(image[y : y + height, x : x + width])
    return np.stack(parts).astype("float32")
