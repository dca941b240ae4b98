"""verify.py: right artifacts pass, wrong ones do not."""

import json
import subprocess
import sys

import keras
import pytest

from export import verify
from tests.conftest import ROOT


def test_a_right_artifact_passes(exported, run, digit_files, tmp_path, capsys):
    flags = [str(exported[0]), "--against", str(run), "--images", str(digit_files)]
    verify.main([*flags, "--json", str(tmp_path / "out.json"), "--count", "20"])
    printed = capsys.readouterr().out
    assert "serving_xla" in printed
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["images"]["count"] == 16  # every fourth of 64
    for signature in ("serving_default", "serving_xla"):
        assert result["signatures"][signature]["error"] < 1e-4
        assert result["signatures"][signature]["agreement"] == 1.0


def test_the_artifact_of_another_network_fails(exported, network, tmp_path, capsys):
    other = keras.models.clone_model(network)  # with weights of its own
    other.save(tmp_path / "other.keras")
    with pytest.raises(SystemExit) as stopped:
        verify.main([str(exported[0]), "--against", str(tmp_path / "other.keras")])
    assert stopped.value.code == 1
    assert "MISSED  serving_default: error is" in capsys.readouterr().out


def test_a_damaged_artifact_is_one_line(run, tmp_path, capsys):
    for name, content in (
        ("x.tflite", b"nothing at all"),
        ("y/saved_model.pb", b"\x07nothing"),
        ("z/model.xml", b"<net>"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        artifact = path if path.suffix == ".tflite" else path.parent
        with pytest.raises(SystemExit) as stopped:
            verify.main([str(artifact), "--against", str(run)])
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert "is not an artifact of this project" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("columns", ["80", "60"])
def test_the_table_is_not_cut(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    figures = {"error": 3.2e-7, "noise": 1.5e-3, "agreement": 1.0, "milliseconds": 12345.6}
    full = {**figures, "operations": 12345}
    some = {"error": 0.0, "milliseconds": 1.0, "operations": 900}
    objects = {"objects": 1234, "matched": 0.9734, "box": 18.0, "score": 0.28, "mask": 1.0}
    objects |= {"milliseconds": 12345.6, "operations": 12345, "partitions": 144}
    for task, signatures in (
        (
            "classify",
            {"serving_default": full, "serve_bytes": some, "features": some, "serving_xla": full},
        ),
        ("classify", {"serving_default": {**full, "partitions": 144}}),
        ("detect", {"serving_default": objects}),
    ):
        verify.print_table(
            {
                "artifact": "/a/path/that/is/longer/than/eighty/columns" * 2,
                "precision": "float32",
                "bytes": 12_345_678,
                "task": task,
                "images": {"count": 64, "origin": "/runs/digits/calibration"},
                "signatures": signatures,
                "missed": ["serving_default: error is 0.1, the bound of float32 is 0.0001"],
            }
        )
    printed = capsys.readouterr().out
    _, _, *table = printed.splitlines()
    if columns == "80":
        assert "…" not in printed
        assert "100.00%" in printed
        assert "parts" in printed
        assert max(len(line) for line in table if "longer" not in line) <= 80


def test_its_flags_are_read_before_tensorflow_is_imported():
    code = """
import sys
import export.verify
print({"tensorflow", "keras", "openvino"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
