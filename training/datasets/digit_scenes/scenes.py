"""Draws a scene: colored digits on a photograph, and which pixel belongs to which of them."""

import colorsys
import dataclasses

import numpy as np
from PIL import Image, ImageFilter

SIZE = 96  # pixels of a scene's side
DIGITS = (1, 3)  # in a scene
HEIGHT = (40.0, 64.0)  # of a digit, in pixels, before it is turned
ANGLE = 20.0  # degrees by which a digit is turned, to either side
CENTER = (12.0, 84.0)  # where the middle of a digit may be, in pixels; the rest may stick out
MARGIN = 32  # pixels around the scene, for ink that sticks out
WINDOW = 88  # side, in pixels, of a square that holds any digit
VISIBLE = 0.9  # share of a digit's ink that others and the border leave visible, at least
DIM = 0.5  # of a photograph's brightness is left, so that ink can be brighter anywhere
SATURATION, VALUE = (0.25, 1.0), (0.7, 1.0)  # of colors
EDGE = 1.5  # pixels in which ink fades at the edge of a stroke
# Luminance, 0 to 255, by which ink is brighter than nearly all of what is under it and around it.
CONTRAST = 60
ODD = 0.1  # share of these pixels that may be brighter
AROUND = 9  # side of the neighborhood, in pixels, in which a pixel is around another
PLACES, COLORS = 30, 16  # that are tried, of a digit and at a place
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of RGB, ITU-R BT.601
CELLS = 8  # of a digit's side
PADDING = 2  # cells without ink around a digit, which its interpolation reaches


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where and how a digit is drawn.

    Attributes:
        digit: Index of the digit.
        height: Pixels of its side before it is turned.
        angle: Degrees, clockwise.
        center: Row and column of its middle; the scene's upper left corner is `(0, 0)`.
    """

    digit: int
    height: float
    angle: float
    center: tuple[float, float]


def crop(rng, photograph, columns):
    """Crops a photograph at random.

    Args:
        rng: `numpy.random.Generator`.
        photograph: uint8 `[H, W, 3]`.
        columns: The first column that the crop may show, and the one after the last.

    Returns:
        uint8 `[96, 96, 3]`.
    """
    top = rng.integers(0, photograph.shape[0] - SIZE, endpoint=True)
    left = rng.integers(columns[0], columns[1] - SIZE, endpoint=True)
    return photograph[top : top + SIZE, left : left + SIZE]


def draw(rng, background, digits):
    """Draws up to 3 different digits on a dimmed background, later ones over earlier ones.

    A place is drawn again if it leaves too little of a digit visible, or if no color that was drawn
    has enough contrast there. A digit that finds none of `PLACES` is left out.

    Args:
        rng: `numpy.random.Generator`.
        background: uint8 `[96, 96, 3]`.
        digits: float `[N, 8, 8]`, ink in 0..1; N is 3 or more.

    Returns:
        The image, uint8 `[96, 96, 3]`; the instances, uint8 `[96, 96]`, where `k` is the k-th
        digit and 0 is none; the digits' `Placement`s and their colors, each RGB in 0..255, in this
        order.
    """
    image = DIM * background.astype("float64")
    instances = np.zeros((SIZE, SIZE), "uint8")
    placements, colors = [], []
    amounts = []  # pixels of ink, those that do not show included
    count = rng.integers(*DIGITS, endpoint=True)
    for digit in rng.choice(len(digits), count, replace=False).tolist():
        for _ in range(PLACES):
            placement = place(rng, digit)
            alpha = render(digits[digit], placement)
            amount = np.count_nonzero(alpha >= 0.5)
            alpha = alpha[MARGIN:-MARGIN, MARGIN:-MARGIN]
            ink = alpha >= 0.5
            covered = np.where(ink, np.uint8(len(placements) + 1), instances)
            visible = np.bincount(covered.ravel(), minlength=len(placements) + 2)[1:]
            if (visible < VISIBLE * np.array([*amounts, amount])).any():
                continue
            color = choose_color(rng, image[widen(ink)])
            if color is not None:
                image += alpha[..., None] * (color - image)
                instances = covered
                placements.append(placement)
                colors.append(color)
                amounts.append(amount)
                break
    return np.round(image).astype("uint8"), instances, placements, colors


def place(rng, digit):
    """Draws a `Placement` of a digit: height, angle and center are uniform."""
    return Placement(
        digit=digit,
        height=rng.uniform(*HEIGHT),
        angle=rng.uniform(-ANGLE, ANGLE),
        center=tuple(rng.uniform(*CENTER, 2).tolist()),
    )


def render(digit, placement):
    """Scales and turns a digit.

    Args:
        digit: float `[8, 8]`, ink in 0..1.
        placement: Its `Placement`.

    Returns:
        float32 `[160, 160]`, how much the ink covers, 0..1, in the scene and `MARGIN` pixels
        around it. Half and more counts as the digit's pixel.
    """
    step = CELLS / placement.height  # cells a pixel
    angle = np.radians(placement.angle)
    cosine, sine = step * np.cos(angle), step * np.sin(angle)
    # The window's corner in the result, and the digit's middle in the window.
    top, left = (round(center) + MARGIN - WINDOW // 2 for center in placement.center)
    y, x = (center - round(center) + WINDOW // 2 for center in placement.center)
    middle = CELLS / 2 + PADDING
    # From pixels to cells: x' = cosine · x + sine · y + …, y' = -sine · x + cosine · y + ….
    to_cells = (
        *(cosine, sine, middle - cosine * x - sine * y),
        *(-sine, cosine, middle + sine * x - cosine * y),
    )
    smooth = Image.fromarray(np.pad(digit, PADDING).astype("float32")).transform(
        (WINDOW, WINDOW), Image.Transform.AFFINE, to_cells, Image.Resampling.BICUBIC
    )
    alpha = np.zeros((SIZE + 2 * MARGIN, SIZE + 2 * MARGIN), "float32")
    # Ink fades over about a cell. That is sharpened, but stays where it is.
    sharp = np.clip(0.5 + (np.asarray(smooth) - 0.5) / (step * EDGE), 0, 1)
    alpha[top : top + WINDOW, left : left + WINDOW] = sharp
    return alpha


def widen(ink):
    """Adds the pixels around ink: bool `[96, 96]` of bool `[96, 96]`."""
    blurred = Image.fromarray(255 * ink.astype("uint8")).filter(ImageFilter.BoxBlur(AROUND // 2))
    return np.asarray(blurred) > 0


def choose_color(rng, pixels):
    """Draws colors until one is brighter than nearly all of some pixels.

    Args:
        rng: `numpy.random.Generator`.
        pixels: float `[N, 3]`, RGB in 0..255.

    Returns:
        RGB in 0..255, float `[3]`; or None if each of `COLORS` colors is too dark.
    """
    least = np.quantile(pixels @ LUMINANCE, 1 - ODD) + CONTRAST
    for _ in range(COLORS):
        hsv = rng.uniform(), rng.uniform(*SATURATION), rng.uniform(*VALUE)
        color = 255 * np.array(colorsys.hsv_to_rgb(*hsv))
        if color @ LUMINANCE >= least:
            return color
    return None


def boxes(instances, count):
    """Finds the tight boxes of what is visible.

    Args:
        instances: uint8 `[96, 96]`, as `draw` returns it.
        count: Number of its digits; each has a pixel.

    Returns:
        int `[count, 4]`: the first row, the first column, the row after the last, and the column
        after the last.
    """
    found = np.zeros((count, 4), int)
    for index in range(count):
        rows, columns = np.nonzero(instances == index + 1)
        found[index] = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    return found
