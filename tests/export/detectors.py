"""Run folders of detectors that nobody trained, whose boxes and scores differ all the same."""

import keras
from PIL import Image

from common.files import write_json
from common.labels import labels_text
from pale_tf import PaleConfig, pale_detector
from tests.export.segmenters import photographs

SIZE = 64
LABELS = ["roof", "leaves", "sky"]
SMALL = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))


def make_detector(masks=True, most=20):
    """A small detector of images of any size.

    Its first random weights would give all anchors nearly the same score, and the last bits would
    decide which of them are looked at.
    """
    keras.utils.set_random_seed(0)
    network = pale_detector(
        SMALL, len(LABELS), (None, None, 3), channels=8, masks=masks, max_detections=most
    )
    head = network.get_layer("box_head")
    for layer, factor in (
        (network.get_layer("rpn_objectness"), 1000),
        (network.get_layer("rpn_differences"), 100),
        (head.scores, 25),
        (head.differences, 100),
    ):
        layer.kernel.assign(factor * layer.kernel)
    return network


def make_detector_run(folder, network):
    """Fills the folder of a run as training does."""
    network.save(folder / "model.keras")
    recipe = {"task": "detect", "dataset": "photographs", "image_size": SIZE}
    recipe["settings"] = {"short_sides": [48, SIZE], "long_side": 96}
    write_json(folder / "config.json", {"recipe": recipe, "seed": 1})
    (folder / "labels.txt").write_text(labels_text(LABELS))
    calibration = folder / "calibration"
    calibration.mkdir()
    for index, image in enumerate(photographs(8, SIZE)):
        Image.fromarray(image.astype("uint8")).save(calibration / f"{index}.png")
    return folder
