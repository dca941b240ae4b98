"""Images that somebody might send: many formats, and what can be wrong with each."""

import struct
import zlib

import numpy as np
from PIL import Image

from common.limits import PNG_SIGNATURE
from tests.export.encoding import encode, picture, with_size
from tests.hostile.bytes import DAMAGES

HEIGHT, WIDTH = 50, 70  # of a picture


def chunk(kind, content):
    """A chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width, height, depth, color, rows, interlaced=False, more=b""):
    """A PNG by hand.

    Args:
        width, height, depth, color, interlaced: Fields of its header; `depth` in bits.
        rows: Bytes before compression, a filter's number before each row.
        more: Chunks between header and pixels.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return PNG_SIGNATURE + chunk(b"IHDR", header) + more + pixels + chunk(b"IEND", b"")


def interlaced_png(side=8):
    """Adam7: seven passes of an image of random gray pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4))
    passes += ((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = [pixels[y::down, x::right] for y, x, down, right in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    return png(side, side, 8, 0, rows, interlaced=True)


def with_scans(content, count):
    """A progressive JPEG whose last scan is there `count` times more."""
    last, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    return content[:end] + content[last:end] * count + content[end:]


def bomb(count=2**22):
    return zlib.compress(bytes(count), 9)


def gif_bomb(side=2000, frames=300):
    """A GIF of many black frames, which take a few kilobytes each."""
    content = encode(Image.new("P", (side, side)), "GIF")
    frame = content.index(b",\0\0\0\0" + struct.pack("<HH", side, side))
    return content[:-1] + content[frame:-1] * frames + content[-1:]


def with_extensions(content, count):
    """A GIF with comments before its first frame."""
    place = content.index(b",\0\0\0\0")
    return content[:place] + b"!\xfe\x01x\0" * count + content[place:]


def with_frame(content, width, height):
    """A GIF whose first frame says that it is of another size."""
    place = content.index(b",\0\0\0\0") + 5
    return content[:place] + struct.pack("<HH", width, height) + content[place + 4 :]


GRAY_ROW = b"\0" + bytes(WIDTH)
EXIF = Image.Exif()
EXIF[0x0112] = 6
FRAMES = {"save_all": True, "append_images": [picture(1), picture(2)]}

# Whole images, by what they are.
IMAGES = {
    "JPEG": encode(picture(0), "JPEG"),
    "JPEG of quality 1": encode(picture(0), "JPEG", quality=1),
    "JPEG 4:4:4": encode(picture(0), "JPEG", subsampling=0),
    "JPEG 4:2:2": encode(picture(0), "JPEG", subsampling=1),
    "JPEG with restarts": encode(picture(0), "JPEG", restart_marker_blocks=1),
    "optimized JPEG": encode(picture(0), "JPEG", optimize=True),
    "gray JPEG": encode(picture(0).convert("L"), "JPEG"),
    "CMYK JPEG": encode(picture(0).convert("CMYK"), "JPEG"),
    "progressive JPEG": encode(picture(0), "JPEG", progressive=True),
    "progressive gray JPEG": encode(picture(0).convert("L"), "JPEG", progressive=True),
    "turned JPEG": encode(picture(0), "JPEG", exif=EXIF),
    "JPEG with a profile": encode(picture(0), "JPEG", icc_profile=bytes(5000)),
    "JPEG with a comment": encode(picture(0), "JPEG", comment=b"x" * 60_000),
    "12-bit JPEG": encode(picture(0), "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
    "arithmetic JPEG": encode(picture(0), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1),
    "lossless JPEG": encode(picture(0), "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1),
    "thin JPEG": encode(Image.new("RGB", (65_500, 1)), "JPEG"),
    "scan flood": with_scans(encode(picture(0), "JPEG", progressive=True), 90),
    "larger scan flood": with_scans(encode(picture(0), "JPEG", progressive=True), 5000),
    "wide scan flood": with_scans(
        encode(picture(0, width=2000).convert("L"), "JPEG", progressive=True), 99
    ),
    "PNG": encode(picture(0), "PNG"),
    "stored PNG": encode(picture(0), "PNG", compress_level=0),
    "gray PNG": encode(picture(0).convert("L"), "PNG"),
    "gray PNG with alpha": encode(picture(0).convert("LA"), "PNG"),
    "PNG with alpha": encode(picture(0).convert("RGBA"), "PNG"),
    "palette PNG": encode(picture(0).convert("P"), "PNG"),
    "palette PNG of 2 bits": encode(picture(0).quantize(4), "PNG", bits=2),
    "palette PNG with transparency": encode(picture(0).convert("P"), "PNG", transparency=3),
    "bilevel PNG": encode(picture(0).convert("1"), "PNG"),
    "16-bit gray PNG": encode(Image.fromarray(np.full((5, 4), 40_000, np.uint16)), "PNG"),
    "16-bit PNG": png(2, 2, 16, 2, (b"\0" + bytes(range(12))) * 2),
    "interlaced PNG": interlaced_png(),
    "PNG of one pixel": encode(picture(0, 1, 1), "PNG"),
    "thin PNG": encode(Image.new("L", (1, 2**16)), "PNG"),
    "very thin PNG": encode(Image.new("L", (1, 5_000_000)), "PNG"),
    "animated PNG": encode(picture(0), "PNG", **FRAMES),
    "PNG with a text bomb": png(
        WIDTH, HEIGHT, 8, 0, GRAY_ROW * HEIGHT, more=chunk(b"zTXt", b"x\0\0" + bomb())
    ),
    "PNG with an international text bomb": png(
        WIDTH, HEIGHT, 8, 0, GRAY_ROW * HEIGHT, more=chunk(b"iTXt", b"x\0\1\0\0\0" + bomb())
    ),
    "PNG with a profile bomb": png(
        WIDTH, HEIGHT, 8, 0, GRAY_ROW * HEIGHT, more=chunk(b"iCCP", b"x\0\0" + bomb())
    ),
    "PNG with more pixels than it says": png(WIDTH, HEIGHT, 8, 0, bytes(2**24)),
    "PNG with fewer pixels than it says": png(WIDTH, HEIGHT, 8, 0, GRAY_ROW),
    "PNG with a wrong filter": png(WIDTH, HEIGHT, 8, 0, (b"\x09" + bytes(WIDTH)) * HEIGHT),
    "PNG of an impossible depth": png(WIDTH, HEIGHT, 7, 3, GRAY_ROW * HEIGHT),
    "PNG with many chunks": png(
        WIDTH, HEIGHT, 8, 0, GRAY_ROW * HEIGHT, more=chunk(b"tEXt", b"x\0y") * 20_000
    ),
    "GIF": encode(picture(0), "GIF"),
    "animated GIF": encode(picture(0), "GIF", **FRAMES),
    "interlaced GIF": encode(picture(0).convert("P"), "GIF", interlace=True),
    "GIF bomb": gif_bomb(),
    "GIF bomb behind extensions": with_extensions(gif_bomb(), 17),
    "GIF of a huge frame": with_frame(encode(picture(0), "GIF"), 65_535, 65_535),
    "BMP": encode(picture(0), "BMP"),
    "gray BMP": encode(picture(0).convert("L"), "BMP"),
    "bilevel BMP": encode(picture(0).convert("1"), "BMP"),
    "BMP with alpha": encode(picture(0).convert("RGBA"), "BMP"),
    "WebP": encode(picture(0), "WEBP"),
    "lossless WebP": encode(picture(0), "WEBP", lossless=True),
    "WebP with alpha": encode(picture(0).convert("RGBA"), "WEBP"),
    "animated WebP": encode(picture(0), "WEBP", **FRAMES),
    "WebP with EXIF": encode(picture(0), "WEBP", exif=EXIF),
    "TIFF": encode(picture(0), "TIFF"),
    "ICO": encode(picture(0), "ICO"),
    "PPM": encode(picture(0), "PPM"),
    "TGA": encode(picture(0), "TGA"),
    "PDF": encode(picture(0), "PDF"),
    "JPEG 2000": encode(picture(0), "JPEG2000"),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "nothing": b"",
    "beginning of a JPEG": b"\xff\xd8\xff",
    "beginning of a PNG": PNG_SIGNATURE,
    "JPEG in a PNG": PNG_SIGNATURE + encode(picture(0), "JPEG"),
    "PNG in a JPEG": b"\xff\xd8\xff" + encode(picture(0), "PNG"),
    "two JPEGs": encode(picture(0), "JPEG") * 2,
    "zeros": bytes(5000),
}

SIZES = (0, 1, 2**13, 2**14, 30_000, 65_535, 2**31 - 1)


def resized(content, rng):
    """Another size in the header, if it has one that can be found."""
    width, height = (int(SIZES[index]) for index in rng.integers(len(SIZES), size=2))
    try:
        return with_size(content, width, height)
    except ValueError:
        return bytes(rng.bytes(100))


def make_images(seed):
    """Endless hostile images: of each kind each damage, and on from there.

    Yields:
        A name, and bytes. The same seed gives the same ones.
    """
    rng = np.random.default_rng(seed)
    kinds, damages = list(IMAGES.items()), (*DAMAGES, resized)
    rounds = 0
    while True:
        for index, (name, content) in enumerate(kinds):
            damage = damages[(index + rounds) % len(damages)]
            yield f"{name}, {damage.__name__}", damage(content, rng)
        rounds += 1
