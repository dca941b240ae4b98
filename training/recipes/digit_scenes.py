"""Pale-N with a small UPerNet on `digit_scenes`: handwritten digits on photographs, 96×96 pixels.

python training/fit.py --recipe digit_scenes --strategy mirrored
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="segment",
    dataset="digit_scenes",
    model="pale_n",
    image_size=64,
    epochs=30,
    batch_size=16,
    learning_rate=2e-3,
    base_batch_size=16,
    warmup_epochs=1,
    weight_decay=0.05,
    clip_norm=5.0,
    ema_decay=0.99,
    settings={"channels": 64, "scales": [0.8, 1.25], "largest_share": 0.75},
)
