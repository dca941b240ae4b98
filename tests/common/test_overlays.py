"""Class maps as pictures, against colors and pixels worked out by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from common.overlays import encode_mask, overlay, palette, shares

LABELS = ["background", "cat", "dog"]


def test_the_palette_is_that_of_pascal_voc():
    colors = palette(256)
    assert (colors.shape, colors.dtype) == ((256, 3), np.uint8)
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128)}
    known |= {7: (128, 128, 128), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    known |= {255: (224, 224, 192)}
    for place, color in known.items():
        assert tuple(colors[place]) == color
    assert len(np.unique(palette(1000), axis=0)) == 1000


@pytest.mark.parametrize(("count", "mode"), [(2, "P"), (21, "P"), (256, "P"), (1000, "I;16")])
def test_a_mask_has_the_classes_and_their_colors(count, mode):
    class_map = np.random.default_rng(0).integers(0, count, (13, 17))
    class_map[0, 0] = count - 1
    image = Image.open(io.BytesIO(encode_mask(class_map, count)))
    assert (image.format, image.mode) == ("PNG", mode)
    np.testing.assert_array_equal(np.asarray(image), class_map)
    if mode == "P":
        np.testing.assert_array_equal(image.convert("RGB"), palette(count)[class_map])


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_out_of_range_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"`class_map` must have classes in 0..2. Received: "):
        encode_mask([[0, wrong]], 3)


def test_shares_are_of_the_pixels_that_have_a_class():
    assert shares([[2, 2, 0, 255], [2, 1, -1, 1]], 3) == [(2, 0.5), (1, 1 / 3), (0, 1 / 6)]
    assert shares([[255]], 3) == []


@pytest.fixture
def gray():
    return np.full((400, 600, 3), 100, "uint8")


def test_classes_lie_over_the_image_with_contours(gray):
    class_map = np.zeros((400, 600), int)
    class_map[100:300, 100:300] = 2
    class_map[:50] = 255  # of no class
    page = overlay(gray, class_map, LABELS)
    assert (page.dtype, page.shape[1:]) == (np.uint8, (600, 3))
    assert page.shape[0] > 400  # the legend
    picture = page[:400]
    np.testing.assert_array_equal(picture[class_map != 2], 100)
    np.testing.assert_array_equal(picture[110:290, 110:290], [[[45, 115, 45]] * 180] * 180)
    for edge in (picture[100, 150], picture[299, 150], picture[150, 100], picture[150, 299]):
        np.testing.assert_array_equal(edge, (0, 128, 0))


def test_a_first_class_of_another_name_is_shown(gray):
    picture = overlay(gray, np.zeros((400, 600), int), ["wall", "floor"])[:400]
    np.testing.assert_array_equal(picture, 45)


def test_the_legend_has_the_colors_of_the_classes_that_occur(gray):
    class_map = np.ones((400, 600), int)
    legend = overlay(gray, class_map, LABELS)[400:].reshape(-1, 3).tolist()
    assert [128, 0, 0] in legend
    assert [0, 128, 0] not in legend
    class_map[:100] = 2
    assert [0, 128, 0] in overlay(gray, class_map, LABELS)[400:].reshape(-1, 3).tolist()


def test_small_images_are_scaled_up_by_a_whole_number():
    class_map = np.zeros((96, 96), int)
    class_map[:, 48:] = 1
    page = overlay(np.full((96, 96, 3), 100.0), class_map, LABELS)
    assert page.shape[1] == 4 * 96
    np.testing.assert_array_equal(page[: 4 * 96, : 4 * 48], 100)
    np.testing.assert_array_equal(page[: 4 * 96, 4 * 48], [[128, 0, 0]] * 4 * 96)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (97, 161)])
def test_any_size_and_any_names_make_a_picture(size):
    labels = [f"{place} {'long ' * 30}" for place in range(200)]
    class_map = np.random.default_rng(0).integers(0, 200, size)
    page = overlay(np.zeros((*size, 3)), class_map, labels)
    assert page.shape[0] > size[0]
    assert page.shape[1] >= size[1]
    assert page.shape[0] < 4 * 500


def test_a_name_without_end_is_drawn_as_a_long_one(gray):
    """Of a server that sends it, say: to measure all its beginnings would take hours."""
    class_map = np.ones((400, 600), int)
    pages = [overlay(gray, class_map, ["background", "dog" * count]) for count in (100, 100_000)]
    np.testing.assert_array_equal(*pages)


def test_a_map_of_no_class_has_no_legend(gray):
    np.testing.assert_array_equal(overlay(gray, np.full((400, 600), 255), LABELS), gray)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"`image` must be of shape \(2, 3, 3\).* \(3, 2, 3\)"):
        overlay(np.zeros((3, 2, 3)), np.zeros((2, 3), int), LABELS)
