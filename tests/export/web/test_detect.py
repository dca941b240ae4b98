"""The page of a detector: in a browser and in Node what it does. See test_serve.py."""

import json

import numpy as np
import pytest
from PIL import Image

from common.instances import paste_mask, place_names
from common.overlays import palette
from common.preparation import fitted_image, fitted_size
from export import tflite
from export.verification.running import lite_outputs, open_lite
from tests.export.detectors import LABELS, SIZE
from tests.export.encoding import encode
from tests.export.segmenters import photographs
from tests.export.web.pages import listed, open_image, run_node

pytestmark = pytest.mark.browser

SCREENSHOT = "detected.png"

# Prints what a function of instances.js gives for each list of arguments in the input.
INSTANCES = """
import {readFileSync} from "node:fs";
import * as instances from "./instances.js";
const call = instances[process.argv[1]];
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map((given) => call(...given))));
"""

# Shows objects as if the network had found them; gives the size and the pixels of the map.
SHOW = """
const [outputs, image, about, done] = arguments;
const arrays = Object.entries(outputs).map(([name, values]) => [name, Float32Array.from(values)]);
import("./detect.js").then(({show}) => {
  show(Object.fromEntries(arrays), image, about);
  const map = document.getElementById("map");
  const {data} = map.getContext("2d").getImageData(0, 0, map.width, map.height);
  done([map.height, map.width, ...data]);
});
"""


@pytest.fixture(scope="module")
def detector_file(detector_run, tmp_path_factory):
    """A LiteRT file of the detector."""
    path = tmp_path_factory.mktemp("detector") / "model.tflite"
    tflite.export(detector_run / "model.keras", path)
    return path


def test_a_detected_image_is_shown_as_python_sees_it(
    driver, open_page, detector_file, detector_run, tmp_path
):
    network = open_lite(detector_file)
    open_page(detector_file)
    most = 0
    for height, width in ((97, 161), (300, 200), (20, 20), (320, 500)):
        image = photographs(1, height, width)[0].astype("uint8")
        path = tmp_path / f"{height}.png"
        path.write_bytes(encode(Image.fromarray(image), "PNG"))
        found = open_image(driver, path)
        pixels = found.pop("pixels").reshape(1, SIZE, SIZE, 3).astype("float32")
        np.testing.assert_allclose(pixels[0], fitted_image(image, SIZE).numpy(), atol=0.01)
        expected = lite_outputs(network, pixels)
        assert found.keys() == expected.keys() == {"boxes", "scores", "classes", "count", "masks"}
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values.ravel(), atol=1e-3, err_msg=name)
        bottom, right = fitted_size((height, width), SIZE).numpy()
        rows = zip(expected["boxes"][0], expected["scores"][0], expected["classes"][0], strict=True)
        assert listed(driver) == [
            f"{LABELS[label]} {100 * score:.1f} %"
            for (x1, y1, *_), score, label in rows
            if score >= 0.5 and x1 < right and y1 < bottom
        ]
        most = max(most, len(listed(driver)))
    assert most > 1
    driver.save_screenshot(str(detector_run / SCREENSHOT))


def test_objects_are_drawn_where_they_are(driver, open_page, detector_file):
    open_page(detector_file)
    image, about = {"width": 300, "height": 200}, {"labels": list("abc"), "size": 60}  # 60×40
    mask = np.zeros((28, 28))
    mask[:, :14] = np.linspace(0, 1, 28)[:, None]  # the left half, from its middle on
    boxes = np.array([(8, 12, 32, 38), (5, 44, 50, 60), (36, 8, 56, 30), (34, 33, 50, 38)])
    outputs = {
        "boxes": boxes.ravel().tolist(),
        "scores": [0.9, 0.8, 0.6, 0.4],
        "classes": [2, 1, 0, 1],
        "count": [4],
        "masks": [*mask.ravel(), *np.zeros(3 * mask.size)],
    }
    height, width, *data = driver.execute_async_script(SHOW, outputs, image, about)
    assert width == pytest.approx(1.5 * height, abs=1)
    drawn = np.array(data).reshape(height, width, 4)
    assert listed(driver) == ["c 90.0 %", "a 60.0 %"]  # not what lies beyond the image
    boxes = boxes * np.array([width / 60, height / 40] * 2)
    for index, color in ((0, palette(4)[3]), (2, palette(4)[1])):
        x1, y1, x2, y2 = boxes[index]
        column, row = int((x1 + x2) / 2), int((y1 + y2) / 2)
        for x, y in ((x1, row), (x2, row), (column, y1), (column, y2)):  # two pixels wide
            found = drawn[int(np.ceil(y - 1)), int(np.ceil(x - 1))]
            np.testing.assert_array_equal(found, [*color, 255])
    inside = paste_mask(mask, boxes[0], height, width)
    empty = np.ones((height, width), bool)  # but for boxes, with what is drawn at their edges
    for x1, y1, x2, y2 in boxes[[0, 2]].round().astype(int):
        empty[y1 - 20 : y2 + 4, x1 - 4 : x2 + 4] = False
    assert not drawn[empty].any()
    x1, y1, x2, y2 = boxes[0].round().astype(int)
    part = np.s_[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4]
    np.testing.assert_array_equal(drawn[part][..., 3] > 0, inside[part])
    assert set(np.unique(drawn[part][..., 3])) == {0, 115, 255}  # 45% of 255; the mask's edge


def test_the_least_score_of_objects_can_be_moved(driver, open_page, detector_file):
    open_page(detector_file)
    image, about = {"width": 60, "height": 60}, {"labels": ["a", "b"], "size": 60}
    outputs = {
        "boxes": [*(5, 5, 20, 20), *(30, 30, 50, 50)],
        "scores": [0.9, 0.4],
        "classes": [0, 1],
        "count": [2],
    }
    driver.execute_async_script(SHOW, outputs, image, about)
    move = """const threshold = document.getElementById("threshold");
        threshold.value = arguments[0];
        threshold.dispatchEvent(new Event("input"))"""
    for least, expected in ((50, ["a 90.0 %"]), (40, ["a 90.0 %", "b 40.0 %"]), (91, [])):
        driver.execute_script(move, least)
        assert listed(driver) == expected
        shown = driver.execute_script("return document.getElementById('least').innerText")
        assert shown == f"{least} %"
    assert (
        driver.execute_script("return document.getElementById('scores').innerText") == "No objects"
    )


def test_masks_are_pasted_as_in_python():
    rng = np.random.default_rng(0)
    width, height, side = 40, 30, 28
    corners = rng.uniform(-10, 45, (30, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    boxes[:4] = [(5, 5, 5, 9), (9, 9, 3, 3), (50, 2, 60, 9), (-9, -9, -2, -2)]  # without a pixel
    masks = rng.uniform(0, 1, (30, side, side))
    size = {"width": width, "height": height}
    given = [
        (mask.ravel().tolist(), side, box.tolist(), size)
        for mask, box in zip(masks, boxes, strict=True)
    ]
    pasted = json.loads(run_node(INSTANCES, "pasteMask", given=json.dumps(given).encode()))
    for found, mask, box in zip(pasted, masks, boxes, strict=True):
        whole = np.zeros((height, width), bool)
        part = np.array(found["inside"], bool).reshape(found["height"], found["width"])
        top, left = found["top"], found["left"]
        whole[top : top + found["height"], left : left + found["width"]] = part
        np.testing.assert_array_equal(whole, paste_mask(mask, box, height, width))


def test_names_are_placed_as_in_python():
    rng = np.random.default_rng(0)
    given, expected = [], []
    for _ in range(20):
        names = rng.integers(5, 60, (15, 2)).tolist()
        corners = rng.integers(-20, 220, (15, 2, 2))
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).tolist()
        sizes = [{"width": width, "height": height} for width, height in names]
        given.append((sizes, boxes, {"width": 200, "height": 120}))
        places = place_names(names, boxes, (200, 120))
        expected.append([place and list(place) for place in places])
    assert any(None in places for places in expected)
    found = json.loads(run_node(INSTANCES, "placeNames", given=json.dumps(given).encode()))
    assert found == expected
