"""Pale-N with a small UPerNet on a few hundred photographs with masks, from random weights.

python training/fit.py --recipe segment_folder --dataset masks:PATH

PATH holds `images/*.jpg` and `masks/*.png` of the same names, or `train`, `validation` and `test`
with such folders. Take `--model pale_t` for more than some thousand images, and `--weights RUN` to
start from a network that was trained on more.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="segment",
    dataset="masks:images",
    model="pale_n",
    image_size=224,
    epochs=100,
    batch_size=8,
    learning_rate=1e-3,
    base_batch_size=8,
    warmup_epochs=5,
    weight_decay=0.05,
    clip_norm=5.0,
    ema_decay=0.998,
    drop_path_rate=0.1,
    settings={
        "channels": 128,
        "short_side": 224,
        "scales": [0.5, 2.0],
        "largest_share": 0.75,
        "flip": True,
        "photometric": True,
    },
)
