"""Modules that are registered by lying in a folder."""

import importlib
import sys

import pytest

from common.registry import load_module, module_names


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "shapes_of_test_registry"
    folder.mkdir()
    for name in ("square", "circle", "_shared", "__init__"):
        (folder / f"{name}.py").write_text(f"NAME = {name!r}\n")
    (folder / "notes.txt").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(folder.name)
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def test_modules_have_the_names_of_their_files(package):
    assert module_names(package) == ["circle", "square"]
    assert load_module(package, "circle").NAME == "circle"


@pytest.mark.parametrize("name", ["triangle", "_shared", "", "../square", "square.py"])
def test_other_names_are_an_error(package, name):
    with pytest.raises(ValueError, match=r"must be one of \['circle', 'square'\]. Received: '"):
        load_module(package, name)
