"""Parts of segmenters and detectors that are timed, and the tables of their speed."""

import importlib
import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import artifacts, dense
from benchmarks.paths import DOCS, RESULTS
from benchmarks.tables import markdown
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


def test_shares_of_the_parts():
    result = {
        "seconds": {
            "neck": [0.3, 0.2, 0.3],
            "box align": [0.1, 0.1, 0.1],
            "whole": [0.5, 0.5, 0.5],
        },
        "operations": {
            "neck": {"_FusedConv2D": 150.0, "BatchMatMulV2": 30.0, "Tile": 20.0},
            "box align": {"GatherV2": 90.0},
            "whole": {"_FusedConv2D": 1.0, "GatherV2": 3.0},
        },
    }
    assert dense.part_rows(result)[1:] == [
        ["neck", "300", "75.0%", "90%"],
        ["box align", "100", "25.0%", "0%"],
        ["whole", "500", "", "25%"],
    ]


def test_each_part_is_timed_and_traced():
    x = tf.Variable(np.random.default_rng(0).normal(size=(64, 64)).astype("float32"))
    functions = {
        "product": tf.function(lambda: tf.matmul(x, x)),
        "other": tf.function(lambda: tf.exp(x)),
    }
    runs = {name: lambda f=function: f().numpy() for name, function in functions.items()}
    result = dense.measure_parts(runs, 3)
    assert {name: len(seconds) for name, seconds in result["seconds"].items()} == {
        "product": 3,
        "other": 3,
    }
    assert "Exp" in result["operations"]["other"]
    assert any("MatMul" in operation for operation in result["operations"]["product"])


def test_the_document_has_the_committed_parts_and_memory():
    result = json.loads((RESULTS / "dense_detect.json").read_text())
    text = (DOCS / "benchmarks.md").read_text()
    assert markdown(dense.part_rows(result)) in text
    training = result["training"]
    assert (training["height"], training["width"]) == (800, 1280)
    assert f"**{training['bytes'] / 1e9:.1f} GB**" in text


def test_no_part_without_products_takes_long():
    """The goal of issue 17, on the committed figures: 15% at most."""
    result = json.loads((RESULTS / "dense_detect.json").read_text())
    for name, _, share, products in dense.part_rows(result)[1:-1]:
        if float(products.rstrip("%")) < 50:
            assert float(share.rstrip("%")) <= 15, name


@pytest.mark.slow
def test_times_a_detector_and_writes_json(tmp_path, capsys):
    file = tmp_path / "dense_detect.json"
    dense.main(["--task", "detect", "--quick", "--json", str(file)])
    written = json.loads(file.read_text())
    assert {len(seconds) for seconds in written["seconds"].values()} == {2}
    assert list(written["operations"]) == list(written["seconds"])
    assert written["training"]["bytes"] > 10e6
    assert "RoI heads: box align" in capsys.readouterr().out
