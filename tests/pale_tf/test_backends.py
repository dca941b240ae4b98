"""Uses that docs/backends.md names of Keras' backends."""

import json
import re

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.pale_tf.backends import OTHERS_TO_PREDICT, run_on

NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch", "openvino": "OpenVINO"}
MODELS = ("classifier", "segmenter", "detector")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder where TensorFlow left what its models give."""
    folder = tmp_path_factory.mktemp("uses")
    run_on("tensorflow", "backend_uses.py", folder)
    return folder


def table():
    """Of each backend in docs/backends.md, by use, whether it says yes."""
    text = (ROOT / "docs" / "backends.md").read_text()
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.search(r"\| backend .*?\n\n", text, re.DOTALL).group().splitlines()
        if line
    )
    said = {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}
    assert {cell for row in said.values() for cell in row.values()} <= {"yes", "no"}
    return {name: {use: cell == "yes" for use, cell in row.items()} for name, row in said.items()}


def test_the_table_has_every_backend_and_use():
    assert set(table()) == set(NAMES.values())
    assert {tuple(row) for row in table().values()} == {("build", "predict", "fit", "fuse", "save")}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", *OTHERS_TO_PREDICT])
def test_each_use_works_where_the_table_says_so(folder, backend):
    if backend != "tensorflow":
        run_on(backend, "backend_uses.py", folder)
    assert json.loads((folder / f"{backend}.json").read_text()) == table()[NAMES[backend]]
    for model in MODELS:
        assert_same(folder, backend, f"{model}_predict.npz", 1e-4)
    if table()[NAMES[backend]]["fit"]:
        for model in MODELS[:2]:
            assert_same(folder, backend, f"{model}_fit.npz", 1e-3)


def assert_same(folder, backend, name, tolerance):
    """Compares arrays of a backend with TensorFlow's, to a part of the largest number and of 1."""
    found, expected = (np.load(folder / f"{of}_{name}") for of in (backend, "tensorflow"))
    assert set(found) == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(
            found[key], value, rtol=0, atol=tolerance * (1 + abs(value).max()), err_msg=key
        )
