"""The first frame of a GIF, against Pillow's and TensorFlow's."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.gif import first_frame
from tests.export.encoding import encode, picture

FIRST = picture(0)
FRAMES = {"save_all": True, "append_images": [picture(1), picture(2)]}
GIFS = {
    "one frame": encode(FIRST, "GIF"),
    "three frames": encode(FIRST, "GIF", **FRAMES),
    "a comment": encode(FIRST, "GIF", comment=b"x" * 1000, **FRAMES),
    "a loop": encode(FIRST, "GIF", loop=3, duration=50, **FRAMES),
    "gray": encode(FIRST.convert("L"), "GIF", save_all=True, append_images=[FIRST]),
    "two colors": encode(FIRST.convert("1"), "GIF"),
    "interlaced": encode(FIRST.convert("P"), "GIF", interlace=True),
}


@pytest.fixture(scope="module")
def cut():
    return tf.function(first_frame, input_signature=[tf.TensorSpec((), tf.string)])


@pytest.mark.parametrize("name", GIFS)
def test_the_first_frame_is_that_of_the_whole_file(cut, name):
    frame, pixels = cut(tf.constant(GIFS[name]))
    assert pixels == 50 * 70
    with Image.open(io.BytesIO(frame.numpy())) as image:
        assert getattr(image, "n_frames", 1) == 1
    expected = tf.io.decode_image(GIFS[name], channels=3, expand_animations=False)
    np.testing.assert_array_equal(tf.io.decode_gif(frame)[0], expected)
    assert len(frame.numpy()) <= len(GIFS[name]) + 1


def test_frames_after_the_first_are_left_out(cut):
    frame, _ = cut(tf.constant(GIFS["three frames"]))
    assert len(frame.numpy()) < 0.5 * len(GIFS["three frames"])


@pytest.mark.parametrize("length", [*range(0, 60, 7), 1000, -2, -1])
def test_half_a_frame_is_none(cut, length):
    _, pixels = cut(tf.constant(GIFS["one frame"][:length]))
    assert (pixels.numpy() == 50 * 70) == (length == -1)  # the last byte is the mark of the end


HUGE = b",\0\0\0\0\xff\xff\xff\xff\0\x08\x01\x00\0"  # a frame of 65,535 × 65,535 pixels


@pytest.mark.parametrize(
    "before",
    [b"!\xfe\x01x\0" * 17, b"!\xfe" + b"\x01x" * 9000 + b"\0"],
    ids=["many extensions", "an endless extension"],
)
def test_a_frame_behind_more_than_is_looked_at_is_none(cut, before):
    content = GIFS["one frame"]
    place = content.index(b",\0\0\0\0")
    _, pixels = cut(tf.constant(content[:place] + before + HUGE * 50 + content[place:]))
    assert pixels == 0


def test_random_bytes_end_somewhere(cut):
    rng = np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(GIFS["three frames"])
        for place in rng.integers(0, 900, 20):
            content[place] = rng.integers(256)
        frame, pixels = cut(tf.constant(bytes(content)))
        assert len(frame.numpy()) <= len(content) + 1
        assert 0 <= pixels < 2**32
