"""The page from outside: in a browser, and its modules in Node."""

import subprocess

import numpy as np

from export.web import serve


def wait_for(driver, script):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60).until(lambda driver: driver.execute_script(script))


def open_image(driver, path):
    """Gives a file to the page and waits for the answer; all numbers of the last run, by name."""
    from selenium.webdriver.common.by import By

    driver.execute_script("window.lastRun = null")
    driver.find_element(By.ID, "file").send_keys(str(path))
    wait_for(driver, "return window.lastRun !== null")
    script = """return Object.fromEntries(
        Object.entries(window.lastRun).map(([name, values]) => [name, [...values]]))"""
    return {name: np.array(values) for name, values in driver.execute_script(script).items()}


def listed(driver):
    """The texts of the list beside the picture."""
    script = "return [...document.querySelectorAll('#scores li')].map((li) => li.innerText)"
    return [" ".join(text.split()) for text in driver.execute_script(script)]


def run_node(script, *arguments, given=b""):
    """Runs a module beside the page's on `given`, and returns what it prints: bytes."""
    node = ["node", "--input-type=module", "--eval", script, *arguments]
    done = subprocess.run(node, input=given, capture_output=True, cwd=serve.FOLDER)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
