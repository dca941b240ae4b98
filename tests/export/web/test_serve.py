"""The page of export/web: its files, and in a browser what it does.

python -m pytest -n 0 -m browser

Needs Chromium and its driver (Debian: chromium, chromium-driver), `npm ci --prefix export/web`, and
the extra `browser`.
"""

import json
import threading

import numpy as np
import pytest

from common.errors import SettingError
from common.preparation import evaluation_image
from export.verification.running import lite_outputs, open_lite
from export.web import serve
from tests.export.encoding import encode, picture

browser = pytest.mark.browser

SCREENSHOT = "web.png"

# The pen's path over the pad, 0 to 1: a seven, and a zero.
SEVEN = [(0.3, 0.25), (0.68, 0.25), (0.45, 0.8)]
ZERO = [
    (0.5 + 0.17 * np.sin(angle), 0.5 - 0.3 * np.cos(angle))
    for angle in np.linspace(0, 2 * np.pi, 16)
]


@pytest.fixture(scope="module")
def driver():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=840,680"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        "--no-first-run",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def open_page(driver, tmp_path_factory):
    """Serves a network, opens its page, and gives the path of the LiteRT file behind it."""
    servers = []

    def open_(path):
        folder = tmp_path_factory.mktemp("web")
        files = serve.make_files(path, folder)
        server = serve.make_server(files, 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        driver.get(f"http://localhost:{server.server_port}/")
        wait_for(driver, "return document.body.dataset.ready")
        return folder / "model.tflite"

    yield open_
    for server in servers:
        server.shutdown()


def wait_for(driver, script):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60).until(lambda driver: driver.execute_script(script))


def draw(driver, path):
    """Moves the pen over the pad; returns the network's input and its probabilities."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    driver.execute_script("document.getElementById('clear').click(); window.lastRun = null")
    pad = driver.find_element(By.ID, "pad")
    side = pad.size["width"]
    actions = ActionChains(driver, duration=10)
    points = [(round((x - 0.5) * side), round((y - 0.5) * side)) for x, y in path]
    actions.move_to_element_with_offset(pad, *points[0]).click_and_hold()
    for point in points[1:]:
        actions.move_to_element_with_offset(pad, *point)
    actions.release().perform()
    wait_for(driver, "return window.lastRun !== null")
    return last_run(driver)


def last_run(driver):
    script = "return [[...window.lastRun.pixels], [...window.lastRun.probabilities]]"
    pixels, probabilities = (np.array(part, "float32") for part in driver.execute_script(script))
    side = round((len(pixels) / 3) ** 0.5)
    return pixels.reshape(1, side, side, 3), probabilities


@browser
@pytest.mark.parametrize(("path", "label"), [(SEVEN, "7"), (ZERO, "0")])
def test_a_drawn_digit_gets_the_class_that_python_gets(driver, open_page, trained_run, path, label):
    file = open_page(trained_run / "model.keras")
    pixels, probabilities = draw(driver, path)
    expected = lite_outputs(open_lite(file), pixels)["probabilities"][0]
    np.testing.assert_allclose(probabilities, expected, atol=1e-3)
    shown = driver.execute_script("return document.querySelector('#scores li').innerText")
    assert shown.split()[0] == str(expected.argmax()) == label
    assert "ms" in driver.execute_script("return document.getElementById('latency').innerText")
    driver.save_screenshot(str(trained_run / SCREENSHOT))


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
def test_nothing_comes_from_elsewhere(driver, open_page, trained_run):
    open_page(trained_run / "model.keras")
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    names = driver.execute_script(script)
    assert any(name.endswith(".wasm") for name in names)
    assert all(name.startswith(driver.current_url) for name in names)
    draw(driver, SEVEN)
    # LiteRT writes what it tells to the console as errors; the page writes nothing.
    entries = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [entry for entry in entries if "litert_wasm" not in entry["message"]] == []


def test_the_page_gets_a_file_and_what_it_has_to_know(run, make_file, tmp_path):
    files = serve.make_files(run / "model.keras", tmp_path)
    labels = (run / "labels.txt").read_text().splitlines()
    about = json.loads(files["model.json"])
    assert about == {
        "name": f"{run.name}/model.keras",
        "labels": labels,
        "size": 32,
        "cropFraction": 1.0,
        "input": "images",
        "megabytes": len(files["model.tflite"]) / 1e6,
        "grid": 8,
    }
    finished = make_file("float32")  # a file that is there is taken as it is
    assert serve.make_files(finished, tmp_path)["model.tflite"] == finished.read_bytes()
    with pytest.raises(SettingError, match=r"argument RUN: .* takes 2 images at once, not 1"):
        serve.make_files(make_file("float32", "--batch", "2"), tmp_path)
