"""Class maps as pictures: the palette, the file of a map, and a map over its image."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = "background"  # class 0 of this name is left as the image has it
BLEND = 0.55  # share of the color where a class lies over the image
SMALLEST = 320  # pixels of the picture's longer side, which smaller images are scaled up to
NARROWEST = 240  # pixels of a legend
MOST = 30  # classes in a legend
LINE = 1.5  # height of a legend's line, in heights of its letters
LONGEST = 200  # letters of a name that are looked at: no legend has room for more

_INK, _PAPER = (34, 37, 42), (255, 255, 255)


def palette(count):
    """The colors of classes: PASCAL VOC's color map, class 0 black.

    Bits `7 - i` of red, green and blue are the bits `3i`, `3i + 1` and `3i + 2` of the class, so
    all colors differ.

    Args:
        count: Number of classes.

    Returns:
        uint8 `[count, 3]`, RGB.
    """
    classes = np.arange(count)
    colors = np.zeros((count, 3), np.uint8)
    for step in range(8):
        for channel in range(3):
            bit = (classes >> (3 * step + channel)) & 1
            colors[:, channel] |= (bit << (7 - step)).astype(np.uint8)
    return colors


def encode_mask(class_map, count):
    """Encodes a class map as a PNG whose pixels are the numbers of the classes.

    Args:
        class_map: `[H, W]`, integers in 0..count - 1.
        count: Number of classes, at most 65,536.

    Returns:
        Bytes of a PNG: with up to 256 classes one with `palette`, otherwise 16-bit gray.

    Raises:
        ValueError: If a class is out of range.
    """
    class_map = np.asarray(class_map)
    if class_map.size and not 0 <= class_map.min() <= class_map.max() < count:
        raise ValueError(
            f"`class_map` must have classes in 0..{count - 1}. Received: {class_map.min()} to "
            f"{class_map.max()}"
        )
    if count > 256:
        picture = Image.fromarray(class_map.astype(np.uint16))
    else:
        picture = Image.fromarray(class_map.astype(np.uint8)).convert("P")
        picture.putpalette(palette(count).tobytes())
    return _encode(picture)


def encode_picture(picture):
    """Encodes a picture, uint8 `[H, W, 3]`, as a PNG: bytes."""
    return _encode(Image.fromarray(picture))


def overlay(image, class_map, labels):
    """Lays a class map over its image, and a legend beneath.

    The legend has the classes that occur, most pixels first: color, name, and share of the pixels.
    Class 0 stays as the image has it if it is named `background`; so do pixels of no class. Names
    are drawn in Pillow's own font, which has the letters of English only.

    Args:
        image: `[H, W, 3]`, any real dtype, values in 0..255. A small one is scaled up by a whole
            number.
        class_map: `[H, W]`, integers. What is not in 0..len(labels) - 1 is a pixel of no class, and
            does not count.
        labels: Names of the classes.

    Returns:
        uint8 `[H', W', 3]`.

    Raises:
        ValueError: If image and map are of different sizes.
    """
    image, class_map = np.asarray(image), np.asarray(class_map)
    if image.shape != (*class_map.shape, 3):
        raise ValueError(
            f"`image` must be of shape {(*class_map.shape, 3)}, as `class_map` is. Received: "
            f"{image.shape}"
        )
    pixels = np.clip(np.round(image), 0, 255).astype(np.uint8)
    factor = max(1, -(-SMALLEST // max(class_map.shape)))
    height, width = (factor * side for side in class_map.shape)
    picture = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    large = class_map.repeat(factor, axis=0).repeat(factor, axis=1)
    blended = _blend(picture, large, labels)
    below = _legend(shares(class_map, len(labels)), labels, max(width, NARROWEST))
    page = np.full((height + len(below), below.shape[1], 3), _PAPER, np.uint8)
    left = (page.shape[1] - width) // 2
    page[:height, left : left + width] = blended
    page[height:] = below
    return page


def shares(class_map, count):
    """The classes that occur in a map.

    Args:
        class_map: Integers; what is not in 0..count - 1 does not count.
        count: Number of classes.

    Returns:
        List of pairs `(class, share of the pixels)`, most pixels first.
    """
    known = np.asarray(class_map).ravel()
    known = known[(known >= 0) & (known < count)]
    pixels = np.bincount(known, minlength=count)
    order = np.argsort(-pixels, kind="stable")
    return [(int(place), float(pixels[place] / known.size)) for place in order if pixels[place]]


def edges(class_map, width):
    """Whether another class lies within `width` pixels of a pixel, along a row or a column.

    Args:
        class_map: `[H, W]`, integers or bool.
        width: At least 1.

    Returns:
        bool `[H, W]`.
    """
    found = np.zeros(class_map.shape, bool)
    for rows, marks in ((class_map, found), (class_map.T, found.T)):
        for shift in range(1, width + 1):
            differ = rows[shift:] != rows[:-shift]
            marks[shift:] |= differ
            marks[:-shift] |= differ
    return found


def shortened(name, width, font):
    """A name that is `width` pixels wide at most, with … for its end."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(f"{name}…") > width:
        name = name[:-1]
    return f"{name}…"


def _encode(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _blend(picture, class_map, labels):
    """Colors over a picture, with a contour in full color inside the edge of each region."""
    count = len(labels)
    shown = (class_map >= int(list(labels[:1]) == [BACKGROUND])) & (class_map < count)
    colors = palette(count)[np.where(shown, class_map, 0)]
    mixed = (1 - BLEND) * picture.astype(np.float32) + BLEND * colors.astype(np.float32)
    blended = np.where(shown[..., None], mixed, picture)
    edge = edges(class_map, max(1, round(max(class_map.shape) / 400)))
    return np.where((shown & edge)[..., None], colors, np.round(blended)).astype(np.uint8)


def _legend(found, labels, width):
    """The legend, uint8 `[h, width, 3]`, in as many columns as fit."""
    size = round(min(max(13, width / 45), 40))
    font, line = ImageFont.load_default(size), round(LINE * size)
    colors = palette(len(labels))
    entries = [
        (tuple(map(int, colors[k])), labels[k][:LONGEST], f"{share:.1%}")
        for k, share in found[:MOST]
    ]
    if len(found) > MOST:
        rest = sum(share for _, share in found[MOST:])
        entries.append((None, f"{len(found) - MOST} more", f"{rest:.1%}"))
    patch, gap = line, size  # the name begins `patch` right of the patch
    share_width = font.getlength("100.0%")
    widest = max((font.getlength(name) for _, name, _ in entries), default=0)
    columns = max(1, int(width // (patch + widest + share_width + 3 * gap)))
    column = width / columns
    rows = -(-len(entries) // columns)
    page = Image.new("RGB", (width, rows * line + gap if rows else 0), _PAPER)
    draw = ImageDraw.Draw(page)
    for place, (color, name, share) in enumerate(entries):
        left, top = gap + place // rows * column, gap / 2 + place % rows * line
        right, middle = left + column - 2 * gap, top + line / 2
        if color is not None:
            box = (left, middle - size / 2, left + size, middle + size / 2)
            draw.rectangle(box, fill=color, outline=_INK)
        name = shortened(name, right - left - patch - share_width - gap / 2, font)
        draw.text((left + patch, middle), name, _INK, font, anchor="lm")
        draw.text((right, middle), share, _INK, font, anchor="rm")
    return np.asarray(page)
