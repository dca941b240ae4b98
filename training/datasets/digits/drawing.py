"""Prepares a drawing as the data set's digits were prepared: NIST's normalization, then counts.

The digits of scikit-learn are counts of the pixels in 4×4 blocks of 32×32 bitmaps (UCI's optdigits)
that NIST's handprint software had normalized (NISTIR 5469): cropped, scaled to 20×32 pixels without
keeping the aspect, strokes made thicker or thinner, and sheared so that digits stand upright. The
images bear that out: all of them fill the height; 98.5% have 256 to 412 pixels of ink; and where
there was little to shear, as in most zeros, the outer columns are half full, for 20 columns in the
middle of 32 end in the middle of a block.

export/web/drawing.js does the same, pixel by pixel.
"""

import numpy as np

SIDE = 32  # of the bitmap, in pixels
WIDTH = 20  # of a digit in it; its height is the whole side
BLOCK = 4
INK = (256, 412)  # pixels that a digit has, at least and at most
# How much more one direction may be scaled than the other. NIST's software has no such limit, and
# makes the same block of a dot, of a line that lies and of one that stands.
STRETCH = 2
EDGE = 2  # rows at the top and at the bottom that say little about the slant


def prepare(drawing):
    """Prepares a drawing of a digit.

    Args:
        drawing: uint8 `[H, W]`, bright ink on black.

    Returns:
        uint8 `[8, 8]`, values in 0..255, as the data set's images. Black if there is no ink.
    """
    return count(straighten(even_out(fill_box(drawing >= 128))))


def fill_box(ink):
    """Crops to the ink and scales it to the box, nearest pixels.

    Args:
        ink: bool `[H, W]`.

    Returns:
        bool `[32, 32]`, the ink in the middle.
    """
    box = np.zeros((SIDE, SIDE), bool)
    if not ink.any():
        return box
    top, height = _extent(ink.any(1))
    left, width = _extent(ink.any(0))
    vertical, horizontal = SIDE / height, WIDTH / width
    rows = _sources(top, height, min(vertical, STRETCH * horizontal))
    columns = _sources(left, width, min(horizontal, STRETCH * vertical))
    y, x = (SIDE - len(rows)) // 2, (SIDE - len(columns)) // 2
    box[y : y + len(rows), x : x + len(columns)] = ink[np.ix_(rows, columns)]
    return box


def even_out(box):
    """Thins or thickens strokes, pixel by pixel, until there is as much ink as in the data set.

    Args:
        box: bool `[32, 32]`.

    Returns:
        bool `[32, 32]`.
    """
    low, high = INK
    if box.sum() > high:
        while box.sum() > high:
            box = np.all(_neighborhood(box), axis=0)
    else:
        while 0 < box.sum() < low:
            box = np.any(_neighborhood(box), axis=0)
    return box


def straighten(box):
    """Shifts rows so that the leftmost ink near the top is above that near the bottom.

    Args:
        box: bool `[32, 32]`. What is shifted out of it is lost.

    Returns:
        bool `[32, 32]`.
    """
    if not box.any():
        return box
    top, height = _extent(box.any(1))
    first, last = top + EDGE, top + height - 1 - EDGE
    # A line that lies has no slant; nor have two parts, one above the other, that the edges miss.
    if first >= last or not box[first].any() or not box[last].any():
        return box
    slope = (int(box[first].argmax()) - int(box[last].argmax())) / (last - first)
    upright = np.zeros_like(box)
    for row in range(SIDE):
        shift = int(np.floor((row - SIDE // 2) * slope + 0.5))
        source, target = max(0, -shift), max(0, shift)
        kept = max(0, SIDE - abs(shift))
        upright[row, target : target + kept] = box[row, source : source + kept]
    return upright


def count(box):
    """Counts the ink in blocks, and scales the counts to 0..255 as the data set's builder does.

    Args:
        box: bool `[32, 32]`.

    Returns:
        uint8 `[8, 8]`.
    """
    blocks = box.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    return np.round(blocks.sum((1, 3)) * (255 / BLOCK**2)).astype("uint8")


def _extent(used):
    """First index and number of those from the first to the last true one, of bool `[N]`."""
    places = np.flatnonzero(used)
    return int(places[0]), int(places[-1] - places[0] + 1)


def _sources(begin, size, scale):
    """Indices of the pixels nearest to those of a range that is scaled, `[round(size · scale)]`."""
    scaled = max(1, int(np.floor(size * scale + 0.5)))
    return begin + (2 * np.arange(scaled) + 1) * size // (2 * scaled)


def _neighborhood(box):
    """Every pixel, and its four neighbors: bool `[5, 32, 32]`. There is no ink outside."""
    wide = np.pad(box, 1)
    return np.stack(
        [box, wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]],
    )
