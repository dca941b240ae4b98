"""Decoding of single images, whole or broken."""

import numpy as np
import pytest
import tensorflow as tf

from common import limits
from tests.training.pixels import ramps, with_bad_tables
from training.data.decoding import decode

JPEG = tf.io.encode_jpeg(ramps(200, 200)).numpy()
BROKEN = [
    with_bad_tables(JPEG),
    b"",
    b"text",
    JPEG[:-200],
    JPEG[:100],
    JPEG[:10],
    b"\xff\xd8\xff\xd9",
    JPEG[:50] + b"\xff\xd9",
]


def corner(shape):
    """The upper left quarter of an image."""
    return tf.stack([0, 0, shape[0] // 2, shape[1] // 2])


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
@pytest.mark.parametrize("guarded", [True, False])
def test_a_window_is_a_part_of_the_image(encode, guarded):
    encoded = encode(ramps(60, 70))
    whole, readable = decode(encoded, guarded=guarded)
    assert readable
    np.testing.assert_array_equal(whole, tf.io.decode_image(encoded, channels=3))
    part, readable = decode(encoded, lambda shape: tf.stack([8, 16, 20, 30]), guarded)
    assert readable
    # TensorFlow cuts JPEGs between blocks of 8 pixels, and blurs colors over two of them.
    inside = np.abs(part[2:-2, 2:-2].numpy() - whole[10:26, 18:44].numpy().astype(int))
    assert inside.max() <= (0 if encode is tf.io.encode_png else 3)


def test_gray_and_animated_images_have_three_channels():
    gray = tf.io.encode_png(np.full((5, 6, 1), 77, "uint8"))
    image, readable = decode(gray)
    assert readable
    np.testing.assert_array_equal(image, np.full((5, 6, 3), 77))


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
def test_without_guard_the_same_and_errors(encode):
    encoded = encode(ramps(60, 70)).numpy()
    for content in (encoded, encoded[:-20], b"text"):
        guarded = decode(tf.constant(content), corner)
        unguarded = decode(tf.constant(content), corner, guarded=False)
        np.testing.assert_array_equal(unguarded[0], guarded[0])
        assert unguarded[1] == guarded[1]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant(with_bad_tables(JPEG)), corner, guarded=False)


@pytest.mark.parametrize("guarded", [True, False])
def test_an_image_that_costs_too_much_is_not_decoded(guarded, monkeypatch):
    encoded = tf.io.encode_png(ramps(60, 70))
    monkeypatch.setattr(limits, "MAX_PIXELS", 60 * 70 - 1)
    image, readable = decode(encoded, guarded=guarded)
    assert (image.shape, bool(readable)) == ((1, 1, 3), False)


@pytest.mark.parametrize("encoded", BROKEN)
@pytest.mark.parametrize("window", [None, corner], ids=["whole", "corner"])
def test_unreadable_images_are_one_black_pixel_and_said_to_be(encoded, window):
    """Also where the part that is cropped comes before the part that is missing."""
    image, readable = decode(tf.constant(encoded), window)
    assert not readable
    np.testing.assert_array_equal(image, np.zeros((1, 1, 3)))
