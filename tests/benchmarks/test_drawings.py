"""The benchmark of drawings, on a network that knows nothing."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import drawings, hands


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


def test_a_seed_decides_what_hands_draw():
    one, digits, shapes = hands.make_drawings(0, 4)
    assert one.shape == (40, hands.PAD, hands.PAD)
    np.testing.assert_array_equal(hands.make_drawings(0, 4)[0], one)
    assert (hands.make_drawings(1, 4)[0] != one).any((1, 2)).all()
    for digit, shape in zip(digits, shapes, strict=True):
        assert shape in hands.SHAPES[str(digit)]


def test_drawings_lie_on_the_pad_whole():
    """None is cut off at the edge: its pen is round, and leaves few pixels there."""
    all_drawings, *_ = hands.make_drawings(2, 6)
    edges = np.concatenate(
        [all_drawings[:, [0, -1]], all_drawings[:, :, [0, -1]].swapaxes(1, 2)], axis=1
    )
    assert ((edges > 128).sum(2) < 12).all()
    ink = (all_drawings > 128).mean((1, 2))
    assert 0.005 < ink.min() < ink.max() < 0.4


def test_corners_are_cut_and_ends_stay():
    path = np.array([(0.0, 0.0), (8.0, 0.0), (8.0, 8.0)])
    smooth = hands.smooth(path)
    np.testing.assert_array_equal(smooth[[0, -1]], path[[0, -1]])
    turns = np.diff(np.arctan2(*np.diff(smooth, axis=0).T[::-1]))
    assert np.abs(turns).max() < np.radians(30)
    assert np.linalg.norm(smooth - (8, 0), axis=1).min() > 1
    pointed = hands.smooth(np.array([(0.0, 0.0), (8.0, 0.0), (8.0, 0.0), (8.0, 8.0)]))
    assert np.linalg.norm(pointed - (8, 0), axis=1).min() < 0.2
