"""Masks on whole images against loops, and drawn objects."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.instances import draw_objects, paste_mask, place_names
from common.overlays import palette


def oracle(mask, box, height, width):
    """Whether the middle of each pixel is inside, by four neighbors; outside of the mask is 0."""
    found = np.zeros((height, width), bool)
    x1, y1, x2, y2 = box
    cells = mask.shape[0]

    def at(row, column):
        inside = 0 <= row < cells and 0 <= column < cells
        return mask[row, column] if inside else 0.0

    for row, column in np.ndindex(height, width):
        if not (math.floor(y1) <= row < math.ceil(y2) and math.floor(x1) <= column < math.ceil(x2)):
            continue
        v = (row + 0.5 - y1) / (y2 - y1) * cells - 0.5
        u = (column + 0.5 - x1) / (x2 - x1) * cells - 0.5
        top, left = math.floor(v), math.floor(u)
        value = sum(
            at(top + i, left + j) * abs(1 - i - (v - top)) * abs(1 - j - (u - left))
            for i in (0, 1)
            for j in (0, 1)
        )
        found[row, column] = value >= 0.5
    return found


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_pasted_as_the_definition(seed):
    rng = np.random.default_rng(seed)
    mask = rng.uniform(0, 1, (7, 7)).astype("float32")
    x, y = rng.uniform(-8, 28, 2)
    box = (x, y, x + rng.uniform(0.2, 25), y + rng.uniform(0.2, 25))
    np.testing.assert_array_equal(paste_mask(mask, box, 20, 24), oracle(mask, box, 20, 24))


@pytest.mark.parametrize(
    "box", [(3, 3, 3, 9), (9, 9, 2, 2), (-50, 0, -40, 9), (90, 90, 99, 99), (0, 0, 0, 0)]
)
def test_boxes_without_a_pixel_have_none(box):
    assert not paste_mask(np.ones((28, 28)), box, 20, 24).any()


def test_a_full_mask_fills_its_box():
    pasted = paste_mask(np.ones((28, 28)), (4, 5, 16, 15), 20, 24)
    expected = np.zeros((20, 24), bool)
    expected[5:15, 4:16] = True
    np.testing.assert_array_equal(pasted, expected)


def test_objects_are_drawn_where_they_are():
    image = np.full((300, 500, 3), 200.0)
    mask = np.zeros((300, 500), bool)
    mask[120:180, 120:200] = True
    labels = [str(index) for index in range(4)]
    picture = draw_objects(image, [((100, 110, 300, 210), 3, 0.87, mask)], labels)
    assert picture.shape == (300, 500, 3)
    color = palette(5)[4]
    for place in ((150, 100), (150, 299), (209, 250), (110, 250), (120, 150), (179, 150)):
        np.testing.assert_array_equal(picture[place], color)  # the box's lines, the mask's edge
    np.testing.assert_array_equal(picture[150, 150], np.round(0.55 * 200 + 0.45 * color))
    for place in ((150, 250), (150, 90), (220, 200), (150, 310)):
        assert (picture[place] == 200).all()
    name = picture[110 - 19 : 110 - 1, 100:130]  # above the box
    assert (name == color).all(axis=-1).any()
    assert (name == 255).all(axis=-1).any()
    assert (draw_objects(image, [], labels) == 200).all()


def test_a_small_image_is_scaled_up():
    image = np.full((40, 60, 3), 200.0)
    mask = np.zeros((40, 60), bool)
    mask[20:30, 10:30] = True
    picture = draw_objects(image, [((10, 20, 30, 30), 0, None, mask)], ["cat"])
    assert picture.shape == (240, 360, 3)
    np.testing.assert_array_equal(picture[6 * 25, 6 * 10], palette(2)[1])
    assert (picture[6 * 35, 6 * 50] == 200).all()
    lazy = draw_objects(image, [((10, 20, 30, 30), 0, None, lambda: mask)], ["cat"])
    np.testing.assert_array_equal(lazy, picture)


def test_the_first_object_is_on_top():
    image, box = np.zeros((400, 400, 3)), (100, 100, 300, 300)
    for first in (0, 1):
        objects = [(box, first, None, None), (box, 1 - first, None, None)]
        picture = draw_objects(image, objects, ["a", "b"])
        np.testing.assert_array_equal(picture[200, 100], palette(3)[first + 1])


BOXES = [(50, -3, 60, 5), (-4, 30, 2, 44), (70, 50, 80, 60), (9, 9, 9, 9), (9, 9, 3, 3)]


def test_boxes_that_reach_out_of_the_picture_and_long_names():
    objects = [(box, place % 2, 0.5, None) for place, box in enumerate(BOXES)]
    picture = draw_objects(np.zeros((40, 60, 3)), objects, ["a" * 500, "b"])
    assert picture.shape == (240, 360, 3)
    np.testing.assert_array_equal(picture[20, 359], palette(2)[1])  # the first one's right line


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_no_name_hides_another(seed):
    rng = np.random.default_rng(seed)
    size, count = (200, 120), 12
    names = rng.integers(5, 60, (count, 2)).tolist()
    corners = rng.integers(-20, 200, (count, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).tolist()
    places = place_names(names, boxes, size)
    assert places[0] is not None
    taken = np.zeros((120, 200), bool)
    for place, (width, height), (x1, y1, x2, y2) in zip(places, names, boxes, strict=True):
        if place is None:
            continue
        x, y = place
        pixels = taken[y : y + height, x : x + width]
        assert pixels.shape == (height, width)  # within the picture
        assert not pixels.any()
        pixels[:] = True
        if min(x1, y1) >= 0 and x2 <= 200 and y2 <= 120:  # the name touches its box
            assert max(x, x1) <= min(x + width, x2)
            assert max(y, y1) <= min(y + height, y2)


def test_names_move_where_there_is_room():
    names, box = [(30, 10)] * 5, (50, 50, 100, 100)
    places = place_names(names, [box] * 5, (200, 200))
    assert places == [(50, 40), (50, 50), (50, 100), (50, 90), (100, 50)]
    assert place_names([(30, 10)] * 2, [(0, 0, 9, 9)] * 2, (30, 15)) == [(0, 0), None]
