"""The benchmark of drawings, on a network that knows nothing."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import drawings


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    keras.utils.set_random_seed(0)
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]
    network = keras.Sequential(layers)
    network.save(folder / "model.keras")
    (folder / "labels.txt").write_text("\n".join("0123456789") + "\n")
    return folder


def test_counts_right_answers_and_shows_the_drawings(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")
    path, sheet = tmp_path / "answers.json", tmp_path / "sheet.png"
    drawings.main([str(run), "--per-digit", "4", "--json", str(path), "--sheet", str(sheet)])
    result = json.loads(path.read_text())
    assert result["digits"] == [digit for digit in range(10) for _ in range(4)]
    name = str(run / "model.keras")
    right = np.array(result["answers"][name]) == result["digits"]
    assert result["accuracy"] == {name: pytest.approx(right.mean())}
    assert f"{right.mean():.3f}" in capsys.readouterr().out
    picture = np.asarray(Image.open(sheet))
    assert picture.shape == (10 * drawings.CELL, 4 * drawings.CELL, 3)
    corners = picture[2 :: drawings.CELL, 2 :: drawings.CELL].reshape(40, 3)
    assert ((corners == drawings.RED).all(1) | (corners == 255).all(1))[~right].all()
    assert not (corners == drawings.RED).all(1)[right].any()
