"""Drawings of templates of strokes."""

import numpy as np

from benchmarks import hands


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
