"""Pale-T on ImageNet-1k at 224×224. Not run here: nobody has measured what it reaches.

python training/fit.py --recipe imagenet_pale_t --strategy mirrored --precision mixed_bfloat16 \\
    --data-dir DIR --out RUN --resume

The paper's: 300 epochs at 224². All else is CSWin's recipe (Dong et al. 2022), the closest
published one: AdamW, cosine with 20 epochs of warm-up, batch 2048, learning rate 2e-3, weight decay
0.05, drop-path 0.2, averaged weights with a decay of 0.99984, RandAugment m9 mstd0.5, Mixup 0.8,
CutMix 1.0, random erasing 0.25, label smoothing 0.1.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="classify",
    dataset="imagenet2012",
    model="pale_t",
    image_size=224,
    epochs=300,
    batch_size=2048,
    learning_rate=2e-3,
    base_batch_size=2048,
    warmup_epochs=20,
    weight_decay=0.05,
    ema_decay=0.99984,
    drop_path_rate=0.2,
    settings={
        "label_smoothing": 0.1,
        "mixup": 0.8,
        "cutmix": 1.0,
        "rand_augment": 9,
        "erasing": 0.25,
        "crop_area": 0.08,
        "flip": True,
        "crop_fraction": 0.875,
    },
)
