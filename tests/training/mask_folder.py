"""A folder of photographs with masks: shapes on crops of scikit-learn's photographs."""

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

CLASSES = ("background", "disk", "box")
COLORS = ((0, 0, 0), (230, 40, 40), (40, 200, 60))


def photograph(seed, size=(120, 160)):
    """A photograph with a disk and a box on it, and its mask.

    Args:
        seed: Of everything random.
        size: Height and width, in pixels; at most 400 and 600.

    Returns:
        uint8 `[H, W, 3]`, and uint8 `[H, W]`: indices of `CLASSES`.
    """
    rng, (height, width) = np.random.default_rng(seed), size
    whole = load_sample_images().images[seed % 2]
    y, x = (rng.integers(0, a - b) for a, b in zip(whole.shape, size, strict=False))
    image = Image.fromarray(whole[y : y + height, x : x + width])
    mask = Image.new("L", (width, height))
    for index, draw_shape in ((1, "ellipse"), (2, "rectangle")):
        side = int(rng.integers(min(size) // 4, min(size) // 2))
        left, top = (int(rng.integers(0, extent - side)) for extent in (width, height))
        box = (left, top, left + side, top + side)
        color = tuple(int(np.clip(c + rng.normal(0, 12), 0, 255)) for c in COLORS[index])
        getattr(ImageDraw.Draw(image), draw_shape)(box, fill=color)
        getattr(ImageDraw.Draw(mask), draw_shape)(box, fill=index)
    return np.asarray(image), np.asarray(mask)


def write_pair(root, name, image, mask):
    """Writes `images/NAME.jpg` and, with a palette, `masks/NAME.png`."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(root / "images" / f"{name}.jpg", quality=95)
    picture = Image.fromarray(mask).convert("P")
    # Of all values: Pillow stores those beyond the palette with fewer bits, as other ones.
    picture.putpalette([*np.ravel(COLORS), *[255] * (768 - 3 * len(COLORS))])
    picture.save(root / "masks" / f"{name}.png")


def write_folder(root, count=40):
    """Writes photographs with masks of several sizes, and `classes.txt`; returns the folder."""
    for index in range(count):
        size = ((120, 160), (150, 110), (97, 161))[index % 3]
        write_pair(root, f"{index:02}", *photograph(index, size))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return root
