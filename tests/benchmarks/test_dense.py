"""The forms of segmenters that are timed, and the table of their speed."""

import importlib
import json

import numpy as np
import pytest

from benchmarks import artifacts, dense
from export.verification.running import open_lite


def test_share_of_the_product_rate_and_ratio_to_pytorch():
    result = {
        "seconds": {  # 100 GFLOP/s
            "matrix product": [0.1, 0.1],
            "Pale-T, LiteRT": [2.0, 2.0],
            "Swin-T, PyTorch": [5.0, 5.0],
        },
        "macs": {"Pale-T, LiteRT": 80e9, "Swin-T, PyTorch": 236e9},
        "flops": 1e10,
    }
    _, mine, peer = dense.rows(result)
    assert mine == ["Pale-T, LiteRT", "2000", "80.0", "80%", "2.50 (2.50 to 2.50)"]
    assert peer == ["Swin-T, PyTorch", "5000", "236.0", "94%", "1.00 (1.00 to 1.00)"]
    del result["seconds"]["Swin-T, PyTorch"], result["macs"]["Swin-T, PyTorch"]
    assert dense.rows(result)[1][-1] == ""


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """Pale-N with UPerNet in every form."""
    return dense.make_forms(tmp_path_factory.mktemp("forms"), ("pale_n",), 64)


@pytest.mark.slow
def test_the_forms_compute_the_same_logits(forms):
    saved_model, lite = forms["Pale-N, SavedModel"], forms["Pale-N, LiteRT"]
    expected = maker(saved_model)(*saved_model.arguments)(1)
    assert expected.shape == (1, 64, 64, 150)
    maker(lite)(*lite.arguments)(1)
    interpreter = open_lite(*lite.arguments)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], artifacts.images_of(1, 64))
    interpreter.invoke()
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())
    assert saved_model.macs == lite.macs


def maker(form):
    """The function that a worker would call."""
    module, name = form.target.split(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.slow
def test_times_them_and_writes_json(forms, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dense, "make_forms", lambda *_: forms)
    dense.main(["--quick", "--json", str(tmp_path / "dense.json")])
    written = json.loads((tmp_path / "dense.json").read_text())
    assert {name: len(seconds) for name, seconds in written["seconds"].items()} == {
        "matrix product": 3,
        "Pale-N, SavedModel": 3,
        "Pale-N, LiteRT": 3,
    }
    assert "Pale-N, LiteRT" in capsys.readouterr().out
