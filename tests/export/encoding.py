"""Image files, sound and hostile."""

import io

import numpy as np
from PIL import Image


def encode(image, form, **options):
    """Bytes of a Pillow image in a file format."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def picture(seed, height=50, width=70):
    """A Pillow image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_header(width, height):
    """A PNG that says to be of a size that its data are not of."""
    content = encode(picture(0), "PNG")
    return content[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + content[24:]


def jpeg_header(width, height):
    """A JPEG that says to be of a size that its data are not of."""
    content = bytearray(encode(picture(0), "JPEG"))
    frame = content.index(b"\xff\xc0")  # marker, length, precision, then height and width
    content[frame + 5 : frame + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(content)


def hostile_images(count):
    """Many byte strings that somebody might send, whether images or not."""
    rng = np.random.default_rng(0)
    sound = [encode(picture(seed), form) for seed in range(3) for form in ("JPEG", "PNG")]
    cases = [
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        encode(picture(0, 1, 1), "PNG"),
        encode(picture(0, 1, 1), "JPEG"),
        encode(picture(0, 1, 900), "PNG"),
        encode(Image.fromarray(np.full((5, 4), 40_000, np.uint16)), "PNG"),
        encode(picture(0).convert("CMYK"), "JPEG"),
        encode(picture(0).convert("L"), "JPEG"),
        encode(picture(0).convert("LA"), "PNG"),
        encode(picture(0).convert("P"), "PNG"),
        encode(picture(0).convert("1"), "PNG"),
        encode(picture(0), "JPEG", progressive=True),
        encode(picture(0), "GIF", save_all=True, append_images=[picture(1), picture(2)]),
        encode(picture(0), "BMP"),
        encode(picture(0), "WEBP"),
        png_header(30_000, 30_000),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(0, 10),
        encode(Image.new("RGB", (65_500, 1)), "JPEG"),
        encode(Image.new("L", (1, 5_000_000)), "PNG"),
        jpeg_header(65_000, 65_000),
        jpeg_header(0, 0),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ]
    while len(cases) < count:
        content = bytearray(sound[len(cases) % len(sound)])
        kind = len(cases) % 3
        if kind == 0:
            cases.append(bytes(content[: rng.integers(1, len(content))]))
        elif kind == 1:
            for place in rng.integers(0, len(content), 20):
                content[place] = rng.integers(256)
            cases.append(bytes(content))
        else:
            cases.append(rng.bytes(int(rng.integers(1, 5000))))
    return cases
