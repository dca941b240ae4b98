"""Versions of what made a result, in an installed package and in a bare clone."""

import importlib.metadata
import platform

import keras

import pale_tf
from common.versions import installed_versions


def test_names_what_is_installed():
    versions = installed_versions("keras", "no-such-package")
    assert versions == {
        "python": platform.python_version(),
        "pale_tf": pale_tf.__version__,
        "keras": keras.__version__,
    }


def test_a_clone_need_not_be_installed(monkeypatch):
    found = importlib.metadata.version

    def version(name):
        if name.replace("-", "_") == "pale_tf":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert installed_versions("keras")["pale_tf"] == pale_tf.__version__
