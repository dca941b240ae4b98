"""Encoded images."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from common.limits import PNG_SIGNATURE


def encode(image, form, **options):
    """Bytes of a Pillow image in a file format."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def picture(seed, height=50, width=70):
    """A Pillow image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def with_size(content, width, height):
    """A PNG or JPEG whose header says that it is of another size.

    Raises:
        ValueError: If it has no header.
    """
    if content.startswith(PNG_SIGNATURE):
        header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
        checksum = struct.pack(">I", zlib.crc32(header))
        return content[:12] + header + checksum + content[33:]
    # Marker, length, precision, then height and width.
    frame = min(place for place in map(content.find, (b"\xff\xc0", b"\xff\xc2")) if place >= 0)
    size = struct.pack(">HH", height % 2**16, width % 2**16)
    return content[: frame + 5] + size + content[frame + 9 :]
