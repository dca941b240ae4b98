"""Shared by the tests of the page: a browser, and networks that are served to it."""

import threading

import pytest

from export.web import serve
from export.web.local_server import make_server
from tests.export.web.pages import wait_for


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
        server = make_server(serve.FOLDER, files, 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        driver.get(f"http://localhost:{server.server_port}/")
        wait_for(driver, "return document.body.dataset.ready")
        return folder / "model.tflite"

    yield open_
    for server in servers:
        server.shutdown()
