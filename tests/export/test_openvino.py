"""openvino.py: what lies in a version folder, and what comes out of it."""

import json
import re
import shutil

import numpy as np
import openvino
import pytest

from common.errors import ProgramError
from common.trained import load_trained
from export import openvino as program
from export import verify
from export.verification.artifacts import describe
from tests.conftest import needs_bfloat16
from tests.export.plug_in import compile_model


@pytest.fixture(scope="session")
def exported(run, once):
    """Version 1 of the digits network, exported for batches of 4."""

    def export(models):
        program.main([str(run), "--out", str(models / "digits"), "--batch", "4"])
        return models / "digits" / "1"

    return once("openvino", export)


def test_a_version_is_whole(exported):
    names = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    extra = {f"assets.extra/{name}" for name in ("labels.txt", "model_card.json", "model_card.md")}
    assert names == {"model.xml", "model.bin", *extra}
    card = json.loads((exported / "assets.extra" / "model_card.json").read_text())
    assert card["signatures"] == {
        "serving_default": "images float32 [4, 32, 32, 3] → "
        "logits float32 [4, 10], probabilities float32 [4, 10]"
    }
    assert "openvino" in card["versions"]
    config = json.loads((exported.parents[1] / "config.json").read_text())
    (model,) = config["model_config_list"]
    assert model["config"]["base_path"] == "/models/digits"


def test_openvino_gives_the_numbers_of_the_network(exported, network, images):
    """By OpenVINO alone: nothing of this project is between."""
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    model = compile_model(exported / "model.xml", hint)
    expected = network.predict(images[:4], verbose=0)
    np.testing.assert_allclose(model(images[:4])["probabilities"], expected, atol=1e-5)


def test_verify_fills_up_the_last_batch(exported, run):
    result = verify.verify(exported, load_trained(run / "model.keras"), count=6)
    assert result["missed"] == []
    assert (result["size"], result["batch"], result["precision"]) == (32, 4, "float32")
    figures = result["signatures"]["serving_default"]
    assert figures["error"] < 1e-4
    assert figures["operations"] > 100


def test_a_wrong_model_is_no_version(run, tmp_path, monkeypatch, capsys):
    from export.intermediate import conversion

    original = conversion.convert

    def convert(network, *arguments):
        network.set_weights([weight * 1.01 for weight in network.get_weights()])
        return original(network, *arguments)

    monkeypatch.setattr(conversion, "convert", convert)
    with pytest.raises(SystemExit):
        program.main([str(run), "--out", str(tmp_path / "digits")])
    assert "the OpenVINO model is wrong: serving_default: error is" in capsys.readouterr().err
    assert list((tmp_path / "digits").iterdir()) == []
    assert not (tmp_path / "config.json").exists()


def test_float16_for_any_number_of_images(run, tmp_path, exported, network, images):
    arguments = ["--precision", "float16", "--batch", "any"]
    program.main([str(run), "--out", str(tmp_path / "x"), *arguments])
    file = tmp_path / "x" / "1" / "model.bin"
    assert file.stat().st_size < 0.6 * (exported / "model.bin").stat().st_size
    assert describe(file.parent)["precision"] == "float16"
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    model = compile_model(file.with_name("model.xml"), hint)
    for batch in (3, 1):
        expected = network.predict(images[:batch], verbose=0)
        np.testing.assert_allclose(model(images[:batch])["probabilities"], expected, atol=2e-3)


def test_another_size(run, tmp_path):
    program.main([str(run), "--out", str(tmp_path / "x"), "--size", "48"])
    assert describe(tmp_path / "x" / "1")["size"] == 48


@needs_bfloat16
def test_bfloat16_for_any_number_of_images(run, tmp_path, capsys):
    arguments = ["--precision", "bfloat16", "--batch", "any"]
    program.main([str(run), "--out", str(tmp_path / "x"), *arguments])
    config = json.loads((tmp_path / "config.json").read_text())["model_config_list"]
    hints = {"INFERENCE_PRECISION_HINT": "bf16"}
    assert [model["config"]["plugin_config"] for model in config] == [hints]
    assert "bfloat16, " in capsys.readouterr().out


def test_int8_has_few_bytes_and_the_same_classes(run, tmp_path, exported, network, images):
    arguments = ["--precision", "int8", "--batch", "6"]
    program.main([str(run), "--out", str(tmp_path / "x"), *arguments])
    version = tmp_path / "x" / "1"
    assert describe(version)["precision"] == "int8"
    size = (version / "model.bin").stat().st_size
    assert size < 0.5 * (exported / "model.bin").stat().st_size
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    model = compile_model(version / "model.xml", hint)
    found = model(images[:6])["probabilities"]
    expected = network.predict(images[:6], verbose=0)
    assert (found != expected).any()
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_int8_wants_images(run, tmp_path, capsys):
    for name in ("model.keras", "labels.txt", "config.json"):
        shutil.copy(run / name, tmp_path)
    with pytest.raises(SystemExit):
        program.main([str(tmp_path), "--out", str(tmp_path / "x"), "--precision", "int8"])
    assert "argument --images: int8 needs images like those" in capsys.readouterr().err
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize(
    ("precision", "hint", "noise"),
    [
        ("bfloat16", "--batch any", 0.02),
        ("bfloat16", "--batch any", None),
        ("bfloat16", None, 0.1),
        ("float16", "--batch any", 0.1),
    ],
)
def test_what_does_not_show_openvinos_bug_passes(precision, hint, noise):
    result = {"missed": [], "signatures": {"serving_default": {"noise": noise}}}
    program.check_bounds(result, precision, hint)


def test_the_noise_of_openvinos_bug_is_refused_with_a_way_out():
    result = {"missed": [], "signatures": {"serving_default": {"noise": 0.1}}}
    with pytest.raises(ProgramError, match=r"noise is 0\.1; --batch any avoids a bug"):
        program.check_bounds(result, "bfloat16", "--batch any")


def test_a_model_of_files_with_wrong_labels_is_no_version(run, tmp_path, monkeypatch, capsys):
    from export.intermediate import files

    original = files.gather_texts
    monkeypatch.setattr(files, "gather_texts", lambda texts, at: original(texts[::-1], at))
    with pytest.raises(SystemExit):
        program.main([str(run), "--out", str(tmp_path / "x"), "--files", "--precision", "float16"])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search("the OpenVINO model is wrong: serve_bytes: agreement is 0", error), error
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["segmenter_run", "detector_run"])
def test_segmenters_and_detectors_of_images_of_any_size(kind, request, tmp_path):
    program.main([str(request.getfixturevalue(kind)), "--out", str(tmp_path / "x")])
    model = openvino.Core().read_model(tmp_path / "x" / "1" / "model.xml")
    batch, height, width, _ = model.input().partial_shape
    assert batch.get_length() == 1
    assert height.is_dynamic
    assert width.is_dynamic


@pytest.mark.slow
@pytest.mark.parametrize("size", [[], ["--size", "96"]], ids=str)
def test_detectors_of_files(size, detector_run, tmp_path, capsys):
    program.main([str(detector_run), "--out", str(tmp_path / "x"), "--files", *size])
    version = tmp_path / "x" / "1"
    assert describe(version)["size"] == (96 if size else None)
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    figures = card["verification"]["signatures"]["serve_bytes"]
    assert figures["matched"] >= 0.99
    assert figures["objects"] > 10
    assert "labels string [1, " in card["signatures"]["serve_bytes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "0"], "argument --batch: must be any, or an integer, 1 or more; got '0'"),
        (["--batch", "all"], "argument --batch: must be any, or an integer, 1 or more; got 'all'"),
        (["--precision", "int4"], "argument --precision: invalid choice"),
        (["--files", "--batch", "2"], "argument --batch: must be 1 with --files"),
    ],
)
def test_bad_flags_are_one_line(arguments, message, run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        program.main([str(run), "--out", str(tmp_path / "x"), *arguments])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(message, error), error


@pytest.mark.slow
def test_a_model_of_files_has_a_size_of_its_own(run, tmp_path, capsys):
    arguments = ["--files", "--size", "40", "--precision", "float16"]
    program.main([str(run), "--out", str(tmp_path / "x"), *arguments])
    version = tmp_path / "x" / "1"
    assert describe(version)["size"] == 40
    result = verify.verify(version, load_trained(run / "model.keras"), count=6)
    assert list(result["signatures"]) == ["serve_bytes"]
    assert result["signatures"]["serve_bytes"]["error"] < 1e-2
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert card["signatures"] == {
        "serve_bytes": "image_bytes float32 [1, any, any, any] → "
        "classes string [1, 5], scores float32 [1, 5]"
    }
    assert list(card["verification"]["signatures"]) == ["serve_bytes"]
    assert "export/client.py --model x" in capsys.readouterr().out


def test_a_task_whose_answer_openvino_cannot_make_is_refused(segmenter_run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        program.main([str(segmenter_run), "--out", str(tmp_path / "x"), "--files"])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "argument --files: leave it out" in error
    assert "the task segment to a file" in error


def test_a_name_belongs_to_one_server(run, tmp_path, capsys):
    version = tmp_path / "digits" / "3"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    with pytest.raises(SystemExit):
        program.main([str(run), "--out", str(tmp_path / "digits")])
    assert "argument --out: version 3 in" in capsys.readouterr().err
    assert list(version.parent.iterdir()) == [version]
