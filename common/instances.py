"""Masks of objects on whole images, and objects as pictures and as COCO's results."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.overlays import LONGEST, SMALLEST, edges, palette, shortened

SHOWN = 0.5  # score from which a detection is drawn, and counts as an answer
INSIDE = 0.5  # probability from which a pixel is an object's
BLEND = 0.45  # share of the color where a mask lies over the image
CASING = (255, 255, 255)  # color around the lines of a box


def paste_mask(mask, box, height, width):
    """A mask in its box as a mask of the whole image: bilinear between the middles of its cells,
    and inside from `INSIDE` on (mmdetection's pasting).

    Args:
        mask: float `[h, w]`, in 0..1.
        box: `(x1, y1, x2, y2)`, in pixels of the image.
        height, width: Of the image, in pixels.

    Returns:
        bool `[height, width]`.
    """
    x1, y1, x2, y2 = (float(side) for side in box)
    pasted = np.zeros((height, width), bool)
    if not (x2 > x1 and y2 > y1):
        return pasted
    rows, row_weights = _weights(y1, y2, height, mask.shape[0])
    columns, column_weights = _weights(x1, x2, width, mask.shape[1])
    found = row_weights @ np.asarray(mask, "float64") @ column_weights.T
    pasted[rows, columns] = found >= INSIDE
    return pasted


def _weights(begin, end, size, cells):
    """The pixels of a line that a box touches, a slice, and the weight of each cell in each."""
    first = max(int(np.floor(begin)), 0)
    pixels = slice(first, max(min(int(np.ceil(end)), size), first))
    middles = np.arange(pixels.start, pixels.stop) + 0.5
    places = (middles - begin) / (end - begin) * cells - 0.5
    distance = np.abs(places[:, None] - np.arange(cells))
    return pixels, np.maximum(1 - distance, 0)


def draw_objects(image, objects, labels):
    """Draws objects over their image: a mask in color, a box around it, and its name and score.

    Names do not hide each other: one that has no room at its box is left out. They are drawn in
    Pillow's own font, which has the letters of English only.

    Args:
        image: `[H, W, 3]`, any real dtype, values in 0..255. A small one is scaled up by a whole
            number.
        objects: List of tuples `(box, label, score, mask)`; score and mask may be None. The first
            one is drawn on top. A mask is bool `[H, W]`, or a function that makes it when its turn
            has come.
        labels: Names of the classes.

    Returns:
        uint8 `[H', W', 3]`.
    """
    pixels = np.clip(np.round(np.asarray(image)), 0, 255).astype(np.uint8)
    factor = max(1, -(-SMALLEST // max(pixels.shape[:2])))
    size = (factor * pixels.shape[1], factor * pixels.shape[0])
    picture = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    thin = max(1, round(max(size) / 600))
    colors = palette(len(labels) + 1)[1:]  # black is no color here
    for _, label, _, mask in reversed(objects):
        if mask is not None:
            mask = mask() if callable(mask) else mask
            inside = mask.repeat(factor, axis=0).repeat(factor, axis=1)
            mixed = (1 - BLEND) * picture[inside] + BLEND * colors[label].astype("float32")
            picture[inside] = np.round(mixed).astype(np.uint8)
            picture[edges(inside, thin) & inside] = colors[label]
    picture = Image.fromarray(picture)
    draw = ImageDraw.Draw(picture)
    boxes = [_drawn_box(factor * np.asarray(box, "float64"), size) for box, *_ in objects]
    colors = [tuple(map(int, colors[label])) for _, label, *_ in objects]
    for (x1, y1, x2, y2), color in reversed(list(zip(boxes, colors, strict=True))):
        casing = (x1 - thin, y1 - thin, x2 + thin, y2 + thin)
        draw.rectangle(casing, outline=CASING, width=4 * thin)  # shows dark lines on dark images
        draw.rectangle((x1, y1, x2, y2), outline=color, width=2 * thin)
    named = [(labels[label], score) for _, label, score, _ in objects]
    _draw_names(draw, named, boxes, colors, size)
    return np.asarray(picture)


def place_names(names, boxes, size):
    """Finds places for the names of objects, at their boxes, where no name hides another.

    Args:
        names: List of the widths and heights of names, in pixels. The first ones choose first.
        boxes: List of `(x1, y1, x2, y2)`, in pixels of the picture.
        size: Width and height of the picture, in pixels.

    Returns:
        List of the left upper corners `(x, y)` of the names, within the picture; None for a name
        that has no room.
    """
    taken, places = [], []
    for (width, height), (x1, y1, x2, y2) in zip(names, boxes, strict=True):
        corners = [(x, y) for y in (y1 - height, y1, y2, y2 - height) for x in (x1, x2 - width)]
        places.append(None)
        for x, y in (*corners, (x2, y1), (x1 - width, y1)):
            x, y = (
                max(min(place, whole - own), 0)
                for place, whole, own in ((x, size[0], width), (y, size[1], height))
            )
            if all(
                x + width <= left or x >= right or y + height <= top or y >= bottom
                for left, top, right, bottom in taken
            ):
                places[-1] = (x, y)
                taken.append((x, y, x + width, y + height))
                break
    return places


def _drawn_box(box, size):
    """First and last pixels of a box, in a picture of a width and height."""
    x1, y1, x2, y2 = np.round(box).astype(int)
    first = [min(max(place, 0), whole - 1) for place, whole in zip((x1, y1), size, strict=True)]
    last = [min(place, whole) - 1 for place, whole in zip((x2, y2), size, strict=True)]
    return *first, *np.maximum(first, last).tolist()


def _draw_names(draw, named, boxes, colors, size):
    """Draws names and scores of objects in a picture of a width and height."""
    letters = round(min(max(13, max(size) / 45), 40))
    font, gap = ImageFont.load_default(letters), letters // 4
    texts = [
        shortened(name[:LONGEST], size[0] / 2, font) + ("" if score is None else f": {score:.0%}")
        for name, score in named
    ]
    sizes = [(font.getlength(text) + 2 * gap, letters + 2 * gap) for text in texts]
    places = place_names(sizes, boxes, size)
    for place, text, (width, height), color in zip(places, texts, sizes, colors, strict=True):
        if place is None:
            continue
        x, y = place
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
        dark = np.dot(color, (0.299, 0.587, 0.114)) < 128
        draw.text((x + gap, y + height / 2), text, (255,) * 3 if dark else (0,) * 3, font, "lm")
