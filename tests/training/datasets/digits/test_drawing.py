"""Drawings prepared as the digits were."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from training.datasets.digits import drawing

INK = 255


def picture(*boxes, size=(200, 160)):
    """Filled boxes `(top, bottom, left, right)` on black."""
    canvas = np.zeros(size, "uint8")
    for top, bottom, left, right in boxes:
        canvas[top:bottom, left:right] = INK
    return canvas


SEVEN = picture((40, 60, 50, 110), (40, 140, 90, 110))


def test_the_digits_themselves_stay_about_as_they_are():
    digits = load_digits().images[:200]
    prepared = []
    for digit in digits:
        smooth = Image.fromarray(np.float32(digit)).resize((256, 256), Image.Resampling.BICUBIC)
        prepared.append(drawing.prepare(np.uint8(np.clip(smooth, 0, 16) * (255 / 16))))
    prepared = np.array(prepared) / (255 / 16)
    assert np.corrcoef(prepared.ravel(), digits.ravel())[0, 1] > 0.92
    error = np.sqrt(np.square(prepared - digits).mean())
    assert error < 0.5 * np.sqrt(np.square(prepared - np.roll(digits, 1, axis=0)).mean())


def test_counts_are_scaled_as_the_data_set_is():
    box = np.zeros((32, 32), bool)
    box[:4, 4:7] = True
    counts = np.zeros((8, 8), int)
    counts[0, 1] = 12
    np.testing.assert_array_equal(drawing.count(box), np.round(counts * 255 / 16))


def test_neither_place_nor_size_nor_gray_edges_matter():
    expected = drawing.prepare(SEVEN)
    assert expected.shape == (8, 8)
    assert expected.dtype == np.uint8
    for other in (
        np.roll(SEVEN, (50, -40), (0, 1)),
        np.kron(SEVEN, np.ones((3, 3), "uint8")),
        np.pad(SEVEN, ((0, 300), (10, 0))),
        np.where(SEVEN, 129, 90).astype("uint8"),
    ):
        np.testing.assert_array_equal(drawing.prepare(other), expected)


def test_ink_fills_the_box_of_the_digits():
    box = drawing.fill_box(SEVEN > 0)
    rows, columns = np.nonzero(box)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 31, 6, 25)


@pytest.mark.parametrize("pen", [4, 10, 24])
def test_every_pen_leaves_as_much_ink(pen):
    box = drawing.fill_box(picture((40, 40 + pen, 40, 110), (40, 160, 110 - pen, 110)) > 0)
    ink = drawing.even_out(box).sum()
    assert 256 <= ink <= 412


def test_a_slant_is_taken_out():
    slanted = np.zeros((160, 160), "uint8")
    for row in range(20, 140):
        left = 90 - (row - 20) // 3
        slanted[row, left : left + 20] = INK
    upright = drawing.straighten(drawing.fill_box(slanted > 0))
    columns = [np.flatnonzero(row).mean() for row in upright]
    np.testing.assert_allclose(columns, np.mean(columns), atol=1)
    assert np.ptp([np.flatnonzero(row).mean() for row in drawing.fill_box(slanted > 0)]) > 8


def test_strokes_that_fill_no_box_stay_what_they_are():
    nothing = drawing.prepare(np.zeros((20, 30), "uint8"))
    np.testing.assert_array_equal(nothing, np.zeros((8, 8)))
    standing = drawing.prepare(picture((20, 180, 70, 90)))
    assert (standing[:, 3:5] > 200).all()
    assert not standing[:, [0, 1, 6, 7]].any()
    lying = drawing.prepare(picture((90, 110, 20, 140)))
    assert (lying[3:5, 1:7] > 200).all()
    assert not lying[[0, 1, 6, 7]].any()
    dot = drawing.prepare(picture((90, 100, 70, 80)))
    assert (dot[2:6, 3:5] == 255).all()
    np.testing.assert_array_equal(dot, dot[::-1, ::-1])
