"""The page on security agrees with what is installed."""

import configparser
import re

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import ROOT

ROWS = re.findall(
    r"^\| ([a-z0-9-]+) \| ([0-9.]+) \| \[CVE-", (ROOT / "docs" / "security.md").read_text(), re.M
)


def requirements():
    """All requirements in setup.cfg by name."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line for text in texts for line in text.split("\n") if line and "%(" not in line]
    return {found.name: found for found in map(Requirement, lines)}


def test_the_page_has_vulnerabilities():
    assert len(ROWS) >= 9


@pytest.mark.parametrize(("package", "fixed"), ROWS)
def test_no_range_holds_a_vulnerable_release(package, fixed):
    lowest = min(
        Version(part.version)
        for part in requirements()[package].specifier
        if part.operator in (">=", "==")
    )
    assert lowest >= Version(fixed)
