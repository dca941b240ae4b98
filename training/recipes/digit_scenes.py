"""Pale-N with a small UPerNet on `digit_scenes`: handwritten digits on photographs, 96×96 pixels.

Most pixels are background. Without `class_weights`, a network learns "ink or not" first and then
hardly anything for long. With a `beta_2` of 0.999, the large gradients of the first steps would
slow down AdamW for most of so short a run.

python training/fit.py --recipe digit_scenes --strategy mirrored
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="segment",
    dataset="digit_scenes",
    model="pale_n",
    image_size=96,
    epochs=4,
    batch_size=8,
    learning_rate=4e-3,
    base_batch_size=8,
    warmup_epochs=0.1,
    weight_decay=0.05,
    beta_2=0.95,
    clip_norm=5.0,
    ema_decay=0.995,
    drop_path_rate=0.0,
    settings={
        "channels": 64,
        "scales": [0.9, 1.1],
        "class_weights": [0.1] + 10 * [1.0],
    },
)
