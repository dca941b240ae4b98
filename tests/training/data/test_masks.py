"""Masks, against PNGs packed by hand and Pillow's reading, whole or broken."""

import itertools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from common import limits
from tests.export.encoding import encode, with_size
from tests.hostile.bytes import DAMAGES
from tests.hostile.images import IMAGES, bomb, chunk, png
from training.data import masks
from training.data.masks import IGNORED, NO_CLASS, decode_mask, mask_values

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}
KINDS = [
    *((GRAY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *itertools.product((RGB, GRAY_ALPHA, RGB_ALPHA), (8, 16)),
]
TRANSPARENT = {GRAY: b"\0\1", RGB: b"\0\1" * 3, PALETTE: b"\0\1"}
EVERY = np.arange(2**16)  # a table by which each value is its own class
rng = np.random.default_rng(7)


def packed(pixels, depth):
    """The bytes of a PNG before compression, of pixels `[h, w, channels]`."""
    rows = []
    for row in pixels.reshape(len(pixels), -1):
        bits = "".join(format(value, f"0{depth}b") for value in row)
        bits += "0" * (-len(bits) % 8)
        rows.append(b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return b"".join(rows)


def mask_png(values, color, depth, transparent=False):
    """A PNG of a map of values `[h, w]`; an alpha channel is random, and the palette all red."""
    pixels = np.repeat(values[..., None], CHANNELS[color], axis=2)
    if color in (GRAY_ALPHA, RGB_ALPHA):
        pixels[..., -1] = rng.integers(0, 2**depth, values.shape)
    more = chunk(b"PLTE", b"\xff\0\0" * 2**depth) if color == PALETTE else b""
    if transparent:
        more += chunk(b"tRNS", TRANSPARENT[color])
    return png(*values.shape[::-1], depth, color, packed(pixels, depth), more=more)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def values_of(encoded):
    return mask_values(encoded)


@tf.function(
    input_signature=[tf.TensorSpec((), tf.string), tf.TensorSpec((None,), tf.int32)],
)
def classes_of(encoded, table):
    return decode_mask(encoded, table)


@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(st.data(), st.sampled_from(KINDS), st.booleans())
def test_the_values_are_those_that_were_stored(data, kind, transparent):
    color, depth = kind
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    values = data.draw(arrays.arrays("int64", shape, elements=st.integers(0, 2**depth - 1)))
    encoded = mask_png(values, color, depth, transparent and color in TRANSPARENT)
    found, readable = values_of(encoded)
    assert readable
    assert found.dtype == tf.int32
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_gives_the_indices_that_pillow_gives(bits, transparent):
    image = Image.new("P", (33, 21))
    image.putdata(rng.integers(0, 2**bits, 33 * 21).tolist())
    # Two colors are equal, so that no reading of colors finds the indices.
    colors = rng.integers(0, 256, (2**bits, 3))
    colors[1] = colors[0]
    image.putpalette(colors.ravel().tolist())
    options = {"transparency": 0} if transparent else {}
    encoded = encode(image, "PNG", bits=bits, **options)
    assert encoded[25] == PALETTE
    found, readable = mask_values(tf.constant(encoded))
    assert readable
    np.testing.assert_array_equal(found, np.asarray(image))


@pytest.mark.parametrize("color", [RGB, RGB_ALPHA])
@pytest.mark.parametrize("depth", [8, 16])
def test_colors_are_no_values(color, depth):
    pixels = np.full((4, 5, CHANNELS[color]), 3)
    pixels[2, 2, 1] = 4
    encoded = png(5, 4, depth, color, packed(pixels, depth))
    values, readable = values_of(encoded)
    assert not readable
    np.testing.assert_array_equal(values, [[0]])


def test_an_interlaced_mask_is_read():
    encoded = IMAGES["interlaced PNG"]
    found, readable = values_of(encoded)
    assert readable
    np.testing.assert_array_equal(found, tf.io.decode_png(encoded)[..., 0])


@hypothesis.settings(deadline=None, max_examples=100)
@hypothesis.given(
    arrays.arrays("int64", (3, 4), elements=st.integers(0, 6)),
    st.lists(st.sampled_from([NO_CLASS, 0, 1, 2, 254, IGNORED]), min_size=1, max_size=8),
)
def test_a_table_gives_classes_and_refuses_other_values(values, table):
    encoded = mask_png(values, GRAY, 8)
    expected = [table[value] if value < len(table) else NO_CLASS for value in values.ravel()]
    found, readable = classes_of(encoded, np.array(table, "int32"))
    assert found.dtype == tf.uint8
    assert readable == (NO_CLASS not in expected)
    blank = [[IGNORED]]
    np.testing.assert_array_equal(found, np.reshape(expected, (3, 4)) if readable else blank)


def test_a_table_may_be_an_array_or_as_long_as_there_are_values():
    values = np.array([[0, 40_000], [40_000, 65_535]])
    table = np.full(2**16, NO_CLASS)
    table[[0, 40_000, 65_535]] = 1, 0, IGNORED
    found, readable = decode_mask(tf.constant(mask_png(values, GRAY, 16)), table)
    assert readable
    np.testing.assert_array_equal(found, [[1, 0], [0, IGNORED]])


WHOLE = {
    "gray": mask_png(rng.integers(0, 256, (40, 50)), GRAY, 8),
    "gray of 2 bits": mask_png(rng.integers(0, 4, (40, 50)), GRAY, 2),
    "colors": mask_png(rng.integers(0, 256, (40, 50)), RGB, 8),
    "palette": mask_png(rng.integers(0, 256, (40, 50)), PALETTE, 8),
}
HEADER = slice(8, 33)  # of a PNG


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_broken_is_said_to_be(name):
    whole = WHOLE[name]
    assert classes_of(whole, EVERY % 256)[1]
    broken = {
        "empty": b"",
        "text": b"text",
        "signature alone": whole[:8],
        "header alone": whole[:33],
        "half": whole[: len(whole) // 2],
        "wrong magic": b"\x88" + whole[1:],
        "no header": whole[:8] + whole[33:],
        "header behind another chunk": whole[:8] + chunk(b"tEXt", b"x\0y" * 20) + whole[8:],
        "huge": with_size(whole, 2**31 - 1, 2**31 - 1),
        "too large": with_size(whole, 2**14, 2**14),
        "larger than its pixels": with_size(whole, 100, 100),
        "no size": with_size(whole, 0, 0),
        "JPEG": IMAGES["JPEG"],
        "GIF": IMAGES["GIF"],
    }
    for kind, content in broken.items():
        found, readable = classes_of(content, EVERY % 256)
        assert not readable, kind
        np.testing.assert_array_equal(found, [[IGNORED]])


def test_a_second_header_does_not_make_a_palette_larger():
    """Pillow goes by the last one, and would take 81 MB."""
    whole = WHOLE["palette"]
    huge = with_size(whole, 9_000, 9_000)[HEADER]
    assert not values_of(whole[:33] + huge + whole[33:])[1]


@pytest.mark.parametrize("name", WHOLE)
def test_a_mask_that_costs_too_much_is_not_decoded(name, monkeypatch):
    monkeypatch.setattr(limits, "MAX_PIXELS", 40 * 50 - 1)
    values, readable = mask_values(tf.constant(WHOLE[name]))
    assert (values.shape, bool(readable)) == ((1, 1), False)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_bomb_beside_a_palette_is_no_error(kind):
    whole = WHOLE["palette"]
    content = whole[:33] + chunk(kind, b"x\0\0" + bomb()) + whole[33:]
    values, readable = values_of(content)
    assert values.shape == ((40, 50) if readable else (1, 1))


def test_nothing_raises():
    for name, content in itertools.chain(WHOLE.items(), IMAGES.items()):
        if len(content) > 2**20:
            continue
        for damage in DAMAGES:
            damaged = damage(content, rng)
            values, readable = values_of(damaged)
            assert values.dtype == tf.int32, name
            assert readable or values.shape == (1, 1), name


def test_a_pipeline_decodes_masks_in_parallel_and_goes_on_after_a_broken_one():
    contents = [*WHOLE.values(), b"", WHOLE["palette"][:-60], WHOLE["gray"]] * 5
    table = np.arange(256)
    dataset = tf.data.Dataset.from_tensor_slices(contents)
    dataset = dataset.map(lambda encoded: masks.decode_mask(encoded, table), num_parallel_calls=4)
    assert dataset.element_spec[0].shape.as_list() == [None, None]
    assert dataset.element_spec[1].shape.as_list() == []
    found = [bool(readable) for _, readable in dataset.as_numpy_iterator()]
    assert found == [True, True, True, True, False, False, True] * 5
