"""Versions of what made a result."""

import platform

import numpy as np

import pale_tf
from common.versions import installed_versions


def test_versions_of_what_is_installed():
    assert installed_versions("numpy", "no-such-distribution") == {
        "python": platform.python_version(),
        "pale_tf": pale_tf.__version__,
        "numpy": np.__version__,
    }
