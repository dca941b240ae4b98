"""Orientation of photographs, against Pillow's reading and turning."""

import io
import struct
import warnings

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from common.orientation import SEGMENTS, exif_orientation, turn, upright_sides

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def encode(form="JPEG", **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, form, **options)
    return file.getvalue()


JPEG = encode(quality=95)

read = tf.function(exif_orientation, input_signature=[tf.TensorSpec((), tf.string)])


def tiff(entries, order="<", offset=8):
    """EXIF data with a directory of entries `(tag, type, count, value)` at `offset`."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, offset)
    table = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        form = {3: "H2x", 1: "B3x"}.get(kind, "I")
        table += struct.pack(f"{order}HHI{form}", tag, kind, count, value)
    return head + bytes(offset - 8) + table + bytes(4)


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def jpeg(*segments):
    """A JPEG that begins with segments."""
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def exif(value, order="<", **options):
    return segment(0xE1, b"Exif\0\0" + tiff([(0x0112, 3, 1, value)], order, **options))


def pillows(encoded):
    """Pillow's reading of the orientation; `exif_transpose` takes all but 2 to 8 for 1."""
    with Image.open(io.BytesIO(encoded)) as image:
        value = image.getexif().get(0x0112, 1)
    return value if value in range(1, 9) else 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_reads_and_turns_as_pillow_does(value, order):
    encoded = jpeg(exif(value, order))
    assert read(encoded).numpy() == value == pillows(encoded)
    with Image.open(io.BytesIO(encoded)) as image:
        stored, expected = np.asarray(image), np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(turn(tf.constant(stored), read(encoded)), expected)


def test_in_a_pipeline_images_keep_rank_and_channels():
    def load(encoded):
        image = tf.io.decode_jpeg(encoded, channels=3)
        return turn(image, exif_orientation(encoded))

    files = [jpeg(exif(value)) for value in (1, 6)]
    images = tf.data.Dataset.from_tensor_slices(files).map(load)
    assert images.element_spec.shape.as_list() == [None, None, 3]
    assert [image.shape[:2] for image in images.as_numpy_iterator()] == [(16, 24), (24, 16)]


FOREIGN = [
    segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
    segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
    segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(3000)),
    segment(0xFE, b"a comment"),
    b"\xff\xff",  # fill bytes
]
OTHER_TAGS = st.tuples(
    st.integers(0x0100, 0x0200).filter(lambda tag: tag != 0x0112),
    st.sampled_from([1, 3, 4]),
    st.just(1),
    st.integers(0, 255),
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(FOREIGN), max_size=6),
    st.lists(OTHER_TAGS, max_size=12),
    st.integers(0, 12),
    st.integers(0, 300),
    st.sampled_from("<>"),
    st.integers(8, 90),
)
def test_finds_the_tag_where_pillow_finds_it(segments, tags, place, value, order, offset):
    tags = [*tags[:place], (0x0112, 3, 1, value), *tags[place:]]
    encoded = jpeg(*segments, segment(0xE1, b"Exif\0\0" + tiff(tags, order, offset)))
    assert read(encoded).numpy() == pillows(encoded) == (value if value in range(1, 9) else 1)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        JPEG,
        encode("PNG"),
        exif(6),  # no JPEG around it
        JPEG[:2] + exif(6)[:-8],  # ends within the entry
        jpeg(exif(0), exif(6)),  # the first one counts
        jpeg(exif(9)),
        jpeg(exif(6).replace(b"II*", b"IJ*")),
        jpeg(segment(0xE1, b"Exif\0\0")),
        jpeg(segment(0xE1, b"Exif\0\0" + tiff([(0x0112, 4, 1, 6)]))),  # not SHORT
        jpeg(segment(0xE1, b"Exif\0\0" + tiff([(0x0112, 3, 2, 6)]))),  # two of them
        jpeg(segment(0xE1, b"Exif\0\0II*\0" + b"\xff" * 4)),  # the directory is far away
        jpeg(
            segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
        ),  # 65535 entries, of which none is there
        JPEG[:2] + b"\xff\xe1\0\1" + exif(6),  # a length that cannot be
        JPEG + exif(6),  # behind the image
    ],
)
def test_without_a_sound_orientation_it_is_1(encoded):
    assert read(encoded).numpy() == 1


def test_looks_at_few_segments():
    comment = segment(0xFE, b"")
    assert read(jpeg(*[comment] * (SEGMENTS - 1), exif(6))).numpy() == 6
    assert read(jpeg(*[comment] * SEGMENTS, exif(6))).numpy() == 1


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([jpeg(exif(6)), jpeg(FOREIGN[0], exif(8, ">", offset=20))]),
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 255)), max_size=4),
    st.integers(0, 100) | st.none(),
)
def test_mutations_never_raise_and_never_turn_otherwise(encoded, changes, length):
    content = bytearray(encoded)
    for place, value in changes:
        content[place] = value
    content = bytes(content[:length])
    found = read(content).numpy()
    assert found in range(1, 9)
    try:
        with warnings.catch_warnings(action="ignore"):
            expected = pillows(content)
    except (OSError, SyntaxError):
        return
    assert found in (1, expected)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise(content, begins_well):
    start = JPEG[:2] + b"\xff\xe1\0\x60Exif\0\0II*\0" if begins_well else b""
    assert read(start + content).numpy() in range(1, 9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sides_are_those_of_the_turned_image(orientation):
    image = np.zeros((3, 5, 1), "uint8")
    found = upright_sides(tf.constant([3, 5]), orientation)
    assert tuple(found.numpy()) == turn(image, orientation).shape[:2]
