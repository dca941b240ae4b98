"""The page of export/web: its files, and in a browser and in Node what it does.

python -m pytest -n 0 -m browser

Needs Chromium and its driver (Debian: chromium, chromium-driver), `npm ci --prefix export/web`, and
the extra `browser`.
"""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.hands import PAD, SHAPES, make_drawings, write
from common.errors import SettingError
from common.overlays import palette, shares
from common.preparation import evaluation_image, fitted_image, fitted_size
from export.verification.running import lite_outputs, open_lite
from export.web import serve
from tests.export.encoding import encode, picture
from tests.export.segmenters import LABELS, SIZE, photographs
from tests.export.web.pages import listed, open_image, run_node, wait_for
from training.datasets.digits.drawing import prepare

browser = pytest.mark.browser

SCREENSHOT = "web.png"
SEGMENTED = "segmented.png"

# Prepares drawings, 256 × 256 bytes each, from the input; prints one channel of each.
NODE = """
import {readFileSync} from "node:fs";
import {prepareDrawing} from "./drawing.js";
const side = 256;
const bytes = readFileSync(0);
for (let begin = 0; begin < bytes.length; begin += side ** 2) {
  const pixels = new Float32Array(3 * side ** 2).map((_, i) => bytes[begin + Math.floor(i / 3)]);
  const {width, height, pixels: prepared} = prepareDrawing({width: side, height: side, pixels});
  console.log(JSON.stringify([width, height, ...prepared.filter((_, i) => i % 3 === 1)]));
}
"""


# Prints the colors of as many classes as the argument says.
PALETTE = """
import {palette} from "./palette.js";
console.log(JSON.stringify(palette(Number(process.argv[1]))));
"""


def draw(driver, strokes):
    """Moves the pen over the pad, points `(x, y)` of 256 pixels.

    Returns:
        The network's input as Python prepares what is on the pad, `[1, 32, 32, 3]`, and its
        probabilities in the page.
    """
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    driver.execute_script("document.getElementById('clear').click(); window.lastRun = null")
    pad = driver.find_element(By.ID, "pad")
    actions = ActionChains(driver, duration=5)
    for stroke in strokes:
        points = np.round((np.array(stroke) / PAD - 0.5) * pad.size["width"]).astype(int).tolist()
        actions.move_to_element_with_offset(pad, *points[0]).click_and_hold()
        for point in points[1:]:
            actions.move_to_element_with_offset(pad, *point)
        actions.release()
    actions.perform()
    wait_for(driver, "return window.lastRun !== null")
    script = """const context = document.getElementById("pad").getContext("2d");
        return [...context.getImageData(0, 0, 256, 256).data].filter((_, i) => i % 4 === 0)"""
    drawn = np.array(driver.execute_script(script), "uint8").reshape(PAD, PAD)
    expected = evaluation_image(prepare(drawn)[..., None], 32).numpy()[None]
    # The page may still be at an earlier part of the drawing.
    WebDriverWait(driver, 60).until(
        lambda driver: np.allclose(last_run(driver)[0], expected, atol=0.01),
        "the page prepares the drawing as Python does",
    )
    return expected, last_run(driver)[1]


def last_run(driver):
    script = "return [[...window.lastRun.pixels], [...window.lastRun.probabilities]]"
    pixels, probabilities = (np.array(part, "float32") for part in driver.execute_script(script))
    side = round((len(pixels) / 3) ** 0.5)
    return pixels.reshape(1, side, side, 3), probabilities


@browser
def test_drawings_are_read_as_python_reads_them(driver, open_page, trained_run):
    network = open_lite(open_page(trained_run / "model.keras"))
    rng = np.random.default_rng(0)
    right = 0
    for digit, shapes in SHAPES.items():
        strokes, _ = write(next(iter(shapes.values())), rng)
        pixels, probabilities = draw(driver, strokes)
        expected = lite_outputs(network, pixels)["probabilities"][0]
        np.testing.assert_allclose(probabilities, expected, atol=1e-3)
        shown = driver.execute_script("return document.querySelector('#scores li').innerText")
        assert shown.split()[0] == str(expected.argmax())
        right += shown.split()[0] == digit
        if digit == "0":
            driver.save_screenshot(str(trained_run / SCREENSHOT))
    assert right >= 7  # of 10; benchmarks/drawings.py measures how many it usually is
    assert "ms" in driver.execute_script("return document.getElementById('latency').innerText")


@browser
def test_drawings_are_prepared_as_in_python():
    drawings, *_ = make_drawings(seed=1, per_digit=3)
    edges = np.zeros((5, PAD, PAD), "uint8")  # nothing at all, a dot, lines, all of it
    edges[1, 200, 3] = edges[2, 90:99, 5:250] = edges[3, 1:, 40:44] = edges[4] = 255
    noise = np.random.default_rng(0).integers(0, 256, (3, PAD, PAD), "uint8")
    drawings = np.concatenate([drawings, edges, noise])
    lines = [json.loads(line) for line in run_node(NODE, given=drawings.tobytes()).splitlines()]
    expected = [[8, 8, *prepare(drawing).ravel().tolist()] for drawing in drawings]
    assert lines == expected


@browser
def test_a_dropped_image_is_prepared_as_in_python(driver, open_page, trained_run, tmp_path):
    from selenium.webdriver.common.by import By

    alone = tmp_path / "model.keras"  # no run around it, so no drawing pad
    alone.write_bytes((trained_run / "model.keras").read_bytes())
    open_page(alone)
    for height, width in ((48, 80), (131, 90), (20, 20)):
        image = picture(0, height, width)
        path = tmp_path / f"{height}.png"
        path.write_bytes(encode(image, "PNG"))
        driver.execute_script("window.lastRun = null")
        driver.find_element(By.ID, "file").send_keys(str(path))
        wait_for(driver, "return window.lastRun !== null")
        pixels, _ = last_run(driver)
        expected = evaluation_image(np.asarray(image), 32).numpy()
        np.testing.assert_allclose(pixels[0], expected, atol=0.01)


@browser
def test_a_segmented_image_is_shown_as_python_sees_it(driver, open_page, segmenter_run, tmp_path):
    network = open_lite(open_page(segmenter_run / "model.keras"))
    for height, width in ((97, 161), (300, 200), (20, 20), (320, 500)):
        image = photographs(1, height, width)[0].astype("uint8")
        path = tmp_path / f"{height}.png"
        path.write_bytes(encode(Image.fromarray(image), "PNG"))
        found = open_image(driver, path)
        expected = fitted_image(image, SIZE).numpy()
        pixels = found["pixels"].reshape(SIZE, SIZE, 3)
        np.testing.assert_allclose(pixels, expected, atol=0.01)
        classes = lite_outputs(network, expected[None])["classes"][0]
        assert (found["classes"].reshape(SIZE, SIZE) == classes).mean() > 0.998
        h, w = fitted_size((height, width), SIZE).numpy()
        shown = found["classes"].reshape(SIZE, SIZE)[:h, :w]
        rows = shares(shown, len(LABELS))
        assert listed(driver) == [f"{LABELS[place]} {100 * share:.1f} %" for place, share in rows]
        check_map(driver, shown, (height, width))
    driver.save_screenshot(str(segmenter_run / SEGMENTED))
    assert "ms" in driver.execute_script("return document.getElementById('latency').innerText")


def check_map(driver, classes, size):
    """Checks that the map over the picture has the size and the colors of the classes."""
    script = """const map = document.getElementById("map");
        return [map.height, map.width,
            ...map.getContext("2d").getImageData(0, 0, map.width, map.height).data]"""
    height, width, *data = driver.execute_script(script)
    assert (height, width) == size
    drawn = np.array(data).reshape(height, width, 4)
    rows = (np.arange(height) + 0.5) * classes.shape[0] / height
    columns = (np.arange(width) + 0.5) * classes.shape[1] / width
    large = classes[rows.astype(int)][:, columns.astype(int)]
    expected = np.dstack([palette(len(LABELS))[large], 255 * (large > 0)])  # 0 is transparent
    assert (drawn == expected).all(axis=-1).mean() > 0.95  # but where nearest pixels are tied


@browser
def test_colors_of_classes_are_those_of_python():
    np.testing.assert_array_equal(json.loads(run_node(PALETTE, "1000")), palette(1000))


@browser
def test_nothing_comes_from_elsewhere(driver, open_page, trained_run):
    open_page(trained_run / "model.keras")
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    names = driver.execute_script(script)
    assert any(name.endswith(".wasm") for name in names)
    assert all(name.startswith(driver.current_url) for name in names)
    draw(driver, [[(80, 60), (180, 60), (110, 200)]])
    # LiteRT writes what it tells to the console as errors; the page writes nothing.
    entries = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [entry for entry in entries if "litert_wasm" not in entry["message"]] == []


@pytest.mark.slow
def test_the_page_gets_a_file_and_what_it_has_to_know(run, make_file, tmp_path):
    files = serve.make_files(run / "model.keras", tmp_path)
    labels = (run / "labels.txt").read_text().splitlines()
    about = json.loads(files["model.json"])
    assert about == {
        "name": f"{run.name}/model.keras",
        "task": "classify",
        "labels": labels,
        "size": 32,
        "cropFraction": 1.0,
        "input": "images",
        "megabytes": len(files["model.tflite"]) / 1e6,
        "drawn": True,
    }
    finished = make_file("float32")  # a file that is there is taken as it is
    assert serve.make_files(finished, tmp_path)["model.tflite"] == finished.read_bytes()
    with pytest.raises(SettingError, match=r"argument RUN: .* takes 2 images at once, not 1"):
        serve.make_files(make_file("float32", "--batch", "2"), tmp_path)
