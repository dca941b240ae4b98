"""Pale-N with a small Mask R-CNN on `digit_scenes`: digits on photographs, 96×96 pixels.

python training/fit.py --recipe digit_scenes_detect --strategy mirrored

The command takes about 20 minutes on two CPU cores. Results: docs/results.md.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="detect",
    dataset="digit_scenes",
    model="pale_n",
    image_size=96,
    epochs=2,
    batch_size=8,
    learning_rate=1e-3,
    base_batch_size=8,
    warmup_epochs=0.1,
    weight_decay=0.05,
    beta_2=0.95,
    clip_norm=5.0,
    ema_decay=0.995,
    drop_path_rate=0.0,
    settings={"channels": 64, "regions": 32, "short_sides": [96, 96], "long_side": 96},
)
