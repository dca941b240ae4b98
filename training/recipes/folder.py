"""Pale-N on a folder of a few thousand photographs, from random weights.

python training/fit.py --recipe folder --dataset folder:PATH

PATH holds a folder of images for each class, or `train`, `validation` and `test` with such folders.
Take `--model pale_t` for more than some ten thousand images, and `--weights RUN` to start from a
network that was trained on more. Results on 200 digits: docs/results.md.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="classify",
    dataset="folder:images",
    model="pale_n",
    image_size=128,
    epochs=100,
    batch_size=32,
    learning_rate=1e-3,
    base_batch_size=32,
    warmup_epochs=5,
    weight_decay=0.05,
    clip_norm=5.0,
    ema_decay=0.998,
    drop_path_rate=0.1,
    settings={
        "label_smoothing": 0.1,
        "mixup": 0.2,
        "cutmix": 1.0,
        "rand_augment": 5,
        "erasing": 0.1,
        "crop_area": 0.35,
        "flip": True,
        "crop_fraction": 0.875,
    },
)
