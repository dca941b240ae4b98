"""Pale-N on scikit-learn's handwritten digits, scaled from 8×8 to 32×32: a token per pixel.

The digits come upright and fill their box, and what is drawn in the page is brought to that as well
(training/datasets/digits/drawing.py). Augmentation changes the shape that a hand gives them.

python training/fit.py --recipe digits --strategy mirrored
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="classify",
    dataset="digits",
    model="pale_n",
    image_size=32,
    epochs=30,
    batch_size=64,
    learning_rate=2e-3,
    base_batch_size=64,
    warmup_epochs=3,
    weight_decay=0.05,
    clip_norm=5.0,
    ema_decay=0.99,
    settings={
        "label_smoothing": 0.1,
        "rotation": 8.0,
        "translation": 0.08,
        "zoom": 0.1,
        "slant": 0.1,
        "stretch": 0.2,
        "stroke": 0.2,
    },
)
