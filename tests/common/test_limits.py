"""Images that are too costly to decode are found without decoding them."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import limits
from common.limits import is_bearable, is_png
from tests.export.encoding import encode, picture, with_size

PICTURE = picture(0, 40, 60)
ENCODED = {
    "PNG": encode(PICTURE, "PNG"),
    "GIF": encode(PICTURE, "GIF"),
    "BMP": encode(PICTURE, "BMP"),
    "WebP": encode(PICTURE, "WEBP"),
    "lossless WebP": encode(PICTURE, "WEBP", lossless=True),
    "extended WebP": encode(PICTURE, "WEBP", exif=b"Exif\0\0any"),
    "JPEG": encode(PICTURE, "JPEG"),
    "progressive JPEG": encode(PICTURE, "JPEG", progressive=True),
}


def bearable(content):
    return bool(tf.function(is_bearable)(tf.constant(content)))


@pytest.mark.parametrize("kind", ENCODED)
def test_common_images_are_bearable(kind, monkeypatch):
    """And the limit is that of their true sizes: one pixel less, and they are refused."""
    assert bearable(ENCODED[kind])
    monkeypatch.setattr(limits, "MAX_PIXELS", 40 * 60)
    monkeypatch.setattr(limits, "MAX_PROGRESSIVE_PIXELS", 40 * 60)
    assert bearable(ENCODED[kind])
    monkeypatch.setattr(limits, "MAX_PIXELS", 40 * 60 - 1)
    monkeypatch.setattr(limits, "MAX_PROGRESSIVE_PIXELS", 40 * 60 - 1)
    assert not bearable(ENCODED[kind])


def test_a_bmp_may_be_stored_from_the_top(monkeypatch):
    content = bytearray(ENCODED["BMP"])
    content[22:26] = (-40).to_bytes(4, "little", signed=True)
    monkeypatch.setattr(limits, "MAX_PIXELS", 40 * 60)
    assert bearable(bytes(content))
    monkeypatch.setattr(limits, "MAX_PIXELS", 40 * 60 - 1)
    assert not bearable(bytes(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("sides", "expected"),
    [((8192, 8192), True), ((8193, 8192), False), ((1, 65535), True), ((0, 100), False)],
)
def test_the_header_decides(kind, sides, expected):
    assert bearable(with_size(ENCODED[kind], *sides)) == expected


def scans_of(content):
    """Places of the scans' headers in a JPEG, and of its end."""
    places = [at for at in range(len(content) - 4) if content[at : at + 2] == b"\xff\xda"]
    return [*places, content.rindex(b"\xff\xd9")]


def flooded(content, repetitions):
    """A progressive JPEG whose last scan is there many times."""
    *_, last, end = scans_of(content)
    return content[:last] + content[last:end] * repetitions + content[end:]


def test_a_scan_flood_is_refused(monkeypatch):
    content = ENCODED["progressive JPEG"]
    scans = len(scans_of(content)) - 1
    assert bearable(flooded(content, limits.MAX_SCANS - scans + 1))
    assert not bearable(flooded(content, limits.MAX_SCANS - scans + 2))
    monkeypatch.setattr(limits, "MAX_SCANNED_PIXELS", 40 * 60 * scans)
    assert bearable(content)
    assert not bearable(flooded(content, 2))


def test_a_large_progressive_jpeg_is_refused_sooner(monkeypatch):
    monkeypatch.setattr(limits, "MAX_PROGRESSIVE_PIXELS", 40 * 60 - 1)
    assert bearable(ENCODED["JPEG"])
    assert not bearable(ENCODED["progressive JPEG"])


def test_scans_of_thumbnails_and_of_what_follows_are_few():
    """An EXIF thumbnail, and the video that phones append, are no flood."""
    exif = Image.Exif()
    exif[0x927C] = encode(picture(1, 10, 10), "JPEG", progressive=True)
    assert bearable(encode(PICTURE, "JPEG", exif=exif))
    video = np.random.default_rng(0).integers(0, 256, 2**23, dtype=np.uint8).tobytes()
    assert bearable(ENCODED["JPEG"] + video)


def test_more_markers_than_are_looked_at_are_refused():
    assert not bearable(ENCODED["JPEG"] + b"\xff\xc0" * 2**17)


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8\xff", b"no image", b"II*\0", b"BM"])
def test_what_is_no_image_is_not_bearable(content):
    assert not bearable(content)
    assert not is_png(content)


def test_pngs_are_told_by_their_beginning():
    assert is_png(ENCODED["PNG"])
    assert not is_png(ENCODED["JPEG"])
