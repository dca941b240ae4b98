"""Pale-N with a small Mask R-CNN on a few hundred photographs with objects, from random weights.

python training/fit.py --recipe detect_folder --dataset coco:PATH

PATH holds what CVAT, Label Studio, Roboflow or labelme export as COCO's JSON: see docs/dense.md.
Take `--model pale_t` for more than some thousand images, and `--weights RUN` to start from a
network that was trained on more: a few hundred photographs alone teach a detector little.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="detect",
    dataset="coco:annotated",
    model="pale_n",
    image_size=320,
    epochs=60,
    batch_size=8,
    learning_rate=5e-4,
    base_batch_size=8,
    warmup_epochs=2,
    weight_decay=0.05,
    clip_norm=5.0,
    ema_decay=0.998,
    drop_path_rate=0.1,
    settings={
        "channels": 128,
        "regions": 128,
        "short_sides": [256, 320],
        "long_side": 533,
        "flip": True,
    },
)
