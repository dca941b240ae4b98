"""A converted segmenter goes to a server and to a phone by the programs, like any other run."""

import json
import subprocess
import sys

import pytest

from export import saved_model, tflite
from tests.conftest import ROOT
from tests.pale_tf.test_pretrained import needs
from training import convert


@pytest.mark.slow
@needs("transformers")
def test_upernet_of_transformers_is_exported_and_verified(tmp_path, capsys):
    checkpoint, run = tmp_path / "checkpoint", tmp_path / "run"
    checkpoint.mkdir()
    script = ROOT / "tests" / "pale_tf" / "make_checkpoint.py"
    command = [sys.executable, script, checkpoint, "upernet_odd", "128x128"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    convert.main([str(checkpoint), "--out", str(run)])
    saved_model.main([str(run), "--out", str(tmp_path / "models" / "upernet")])
    extra = tmp_path / "models" / "upernet" / "1" / "assets.extra"
    figures = json.loads((extra / "model_card.json").read_text())["verification"]["signatures"]
    assert figures["scores"]["error"] < 1e-4
    assert figures["serving_default"]["agreement"] > 0.999
    assert (extra / "labels.txt").read_text().split() == [f"LABEL_{index}" for index in range(7)]
    tflite.main([str(run), "--size", "128", "--out", str(tmp_path / "upernet.tflite")])
    assert (tmp_path / "upernet.tflite").is_file()
    assert "agreement" in capsys.readouterr().out
