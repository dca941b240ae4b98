"""Draws digits as many hands do: templates of strokes, each time at random another way."""

import numpy as np
from PIL import Image, ImageDraw

PAD = 256  # pixels of a side of the page's pad
SUPERSAMPLED = 2  # for smooth edges, as a canvas has them
SMOOTHED = 3  # times that corners are cut
JITTER = 0.25  # deviation of points, in tenths of the height

# Every shape of a digit: points `x y` of strokes, in a box of 6 × 10 whose y goes down; a semicolon
# lifts the pen. Corners are cut, so that strokes are curves; a point that is there twice is a
# corner that stays.
SHAPES = {
    "0": {
        "oval": "3 0, 1 0, 0 3, 0 7, 1 10, 5 10, 6 7, 6 3, 5 0, 3 0",
        "narrow": "3 0, 1.2 2, 1 5, 1.2 8, 3 10, 4.8 8, 5 5, 4.8 2, 3 0",
        "open": "4.2 0.2, 1 0, -0.2 5, 1 10, 4.5 10.3, 6.3 6, 5.5 1, 3 0.6",
    },
    "1": {
        "stroke": "3 0, 3 10",
        "flag": "1 3, 4 0, 4 0, 4 10",
        "base": "1 2.5, 3 0, 3 0, 3 10; 0.8 10, 5.2 10",
    },
    "2": {
        "round": "0.3 2.5, 0.5 0, 5.8 -0.6, 6 4, 0 10, 0 10, 6 10",
        "loop": "0.5 2.2, 1 0, 5.5 -0.5, 5.5 4, 1 9.5, 0 10, 0 8, 1.5 8, 3 10, 6 9.3",
        "angular": "0.3 1.5, 3 -0.5, 5.5 1.5, 5 4, 0.2 9.8, 0.2 9.8, 5.8 9.8",
    },
    "3": {
        "round": (
            "0.4 1.2, 1.5 -0.4, 6 -0.3, 5.6 4.4, 2 4.7, 2 4.7, 6.4 4.8, 6.4 10.2, 1.8 10.5, 0 8.6"
        ),
        "flat": "0.3 0, 5.4 0, 5.4 0, 2.3 4, 2.3 4, 6.4 4.2, 6.2 10.3, 1.5 10.4, 0 8.8",
    },
    "4": {
        "open": "1 0, 0.3 5.8, 0.3 5.8, 6 5.8; 4.4 2, 4.4 10",
        "closed": "4.5 10, 4.5 0, 4.5 0, 0 6.8, 0 6.8, 6 6.8",
        "slanted": "3.2 0, 0 6.3, 0 6.3, 6 6; 4.6 3.5, 3.8 10",
    },
    "5": {
        "one stroke": "5.5 0, 1 0, 1 0, 0.7 4.3, 0.7 4.3, 6.3 3, 6.5 10, 2 10.5, 0 8.8",
        "bar": "1.2 0, 0.8 4.4, 0.8 4.4, 6 3.2, 6.8 9.8, 2 10.6, 0 9; 1.2 0, 5.6 0",
        "smooth": "5.6 0.2, 1.4 -0.2, 0.2 4.4, 5.5 3.6, 6.4 9.8, 2.5 10.5, 0 9",
    },
    "6": {
        "curved": "4.8 0, 0.5 2.5, -0.6 9.5, 3 10.5, 6.4 9.8, 6 4.8, 2.5 4.6, 0.4 7.5",
        "straight": "3.5 0, 0.4 6, 0.2 10, 3.5 10.4, 6.2 9.8, 5.8 5.8, 3 5.4, 0.5 7.6",
        "hooked": "5.5 1.4, 4.5 0, 0 0, 0 7, 0 10.3, 6 10.8, 6.3 4.6, 2 4.6, 0.2 7.3",
    },
    "7": {
        "plain": "0 0, 6 0, 6 0, 2 10",
        "crossed": "0 0, 6 0, 6 0, 2.2 10; 1.2 5.2, 5.8 5.2",
        "hooked": "0.2 1.8, 0.4 0, 0.4 0, 6 0, 6 0, 3.3 4, 2.5 10",
    },
    "8": {
        "one stroke": (
            "5.3 1.5, 3.8 -0.4, 0 0, 0.6 4, 5.6 5.5, 6.6 10.4, 0 10.6, 0 6.5, 4.8 4.2, 5.6 1.4"
        ),
        "circles": (
            "3 0, 0.6 0.2, 0.6 4.4, 3 4.7, 5.4 4.4, 5.4 0.2, 3 0; "
            "3 4.7, 0 5, 0 10, 3 10.2, 6 10, 6 5, 3 4.7"
        ),
    },
    "9": {
        "straight": "5.5 1.5, 3.5 -0.4, 0 0, 0 5, 3.5 5.4, 5.5 2.5, 5.6 1, 5.6 1, 5.4 10",
        "curved": "5.6 2, 4 -0.5, 0 0, 0 5, 4.5 5.6, 5.8 1.2, 6 5, 5.8 10.4, 2.5 10.4, 0.8 9",
        "slanted": "5.6 1.5, 3.5 -0.4, 0 0.2, 0.2 5, 4.5 5, 5.8 1, 5.8 1, 3 10",
    },
}


def make_drawings(seed, per_digit):
    """Draws every digit equally often, and its shapes in turn.

    Args:
        seed: Integer.
        per_digit: Number of drawings of a digit.

    Returns:
        Drawings, uint8 `[10 · per_digit, 256, 256]`, white ink on black; their digits, `[10 ·
        per_digit]`; and a list of the names of their shapes.
    """
    rng = np.random.default_rng(seed)
    drawings, digits, names = [], [], []
    for digit, shapes in SHAPES.items():
        for index in range(per_digit):
            name = list(shapes)[index % len(shapes)]
            drawings.append(draw(*write(shapes[name], rng)))
            digits.append(int(digit))
            names.append(name)
    return np.stack(drawings), np.array(digits), names


def write(shape, rng):
    """Writes a shape as a random hand does.

    Args:
        shape: Text of strokes, as in `SHAPES`.
        rng: A `numpy.random.Generator`.

    Returns:
        Arrays of points `[N, 2]` on the pad, in pixels, and the width of the pen.
    """
    angle, slant = np.radians(rng.uniform(-8, 8)), np.tan(np.radians(rng.uniform(-12, 25)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    height = rng.uniform(110, 210)
    scale = np.diag([height * rng.uniform(0.8, 1.25), height]) / 10
    matrix = turn @ np.array([[1, -slant], [0, 1]]) @ scale
    placed = [(_shaken(stroke, rng) - (3, 5)) @ matrix.T for stroke in shape.split(";")]
    pen = rng.uniform(0.08, 0.17) * height
    points = np.concatenate(placed)
    low, high = points.min(0) - pen / 2, points.max(0) + pen / 2
    shift = rng.uniform(np.minimum(-low, PAD - high), np.maximum(-low, PAD - high))
    return [smooth(stroke + shift) for stroke in placed], pen


def smooth(points):
    """Cuts the corners of a path (Chaikin 1974), again and again; its ends stay.

    Args:
        points: `[N, 2]`.

    Returns:
        `[M, 2]`.
    """
    for _ in range(SMOOTHED):
        before, after = points[:-1], points[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points


def draw(strokes, pen):
    """Draws paths with a round pen.

    Args:
        strokes: Arrays of points `[N, 2]`, `(x, y)` in pixels.
        pen: Width of the pen in pixels.

    Returns:
        uint8 `[256, 256]`, white on black.
    """
    picture = Image.new("L", (PAD * SUPERSAMPLED, PAD * SUPERSAMPLED))
    pencil = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [tuple(SUPERSAMPLED * point) for point in stroke]
        pencil.line(points, fill=255, width=round(SUPERSAMPLED * pen))
        for x, y in points:
            radius = SUPERSAMPLED * pen / 2
            pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(picture.reduce(SUPERSAMPLED))


def _shaken(stroke, rng):
    """Points `[N, 2]` of the text of a stroke, each a little off; equal ones stay equal."""
    points = [point.strip() for point in stroke.split(",")]
    places = {
        p: np.array(p.split(), float) + rng.normal(0, JITTER, 2) for p in dict.fromkeys(points)
    }
    return np.stack([places[point] for point in points])
