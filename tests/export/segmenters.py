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


def make_segmenter(labels=LABELS, seed=0, shape=(None, None, 3), channels=16):
    """A segmenter with random weights, whose classes are sectors of the features' main plane.

    With random scores, many more pixels would lie between two classes.
    """
    keras.utils.set_random_seed(seed)
    network = pale_segmenter("nano", len(labels), shape, channels=channels)
    scores = network.get_layer("predictions")
    features = keras.Model(network.inputs[0], scores.input)
    side = shape[0] or SIZE
    values = features(photographs(8, side)).numpy().reshape(-1, channels)
    mean = values.mean(axis=0)
    _, deviations, directions = np.linalg.svd(values - mean, full_matrices=False)
    scale = np.sqrt(len(values)) / deviations[:2, None]
    angles = 2 * np.pi * np.arange(len(labels)) / len(labels)
    kernel = (scale * directions[:2]).T @ np.stack([np.cos(angles), np.sin(angles)])
    scores.set_weights([3 * kernel[None, None], -3 * (mean @ kernel + np.cos(angles))])
    return network


def make_segmenter_run(folder, network, labels=LABELS, size=SIZE, **settings):
    """Fills the folder of a run as training does."""
    network.save(folder / "model.keras")
    recipe = {"task": "segment", "dataset": "photographs", "image_size": size}
    recipe["settings"] = {"short_side": None, **settings}
    write_json(folder / "config.json", {"recipe": recipe, "seed": 1})
    (folder / "labels.txt").write_text(labels_text(labels))
    calibration = folder / "calibration"
    calibration.mkdir()
    for index, image in enumerate(photographs(8, size)):
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
