"""Pale-T with Mask R-CNN on COCO, 1× schedule. Not run here: nobody has measured what it reaches.

python training/fit.py --recipe coco_pale_t --dataset coco:COCO2017 \\
    --weights IMAGENET_RUN --strategy mirrored --precision mixed_bfloat16 --out RUN --resume

The paper's: Mask R-CNN, 12 epochs. All else is the recipe of Swin (Liu et al. 2021): AdamW,
learning rate 1e-4 for batches of 16, weight decay 0.05, linear warm-up of 1,000 steps, a tenth of
the rate after 8 and after 11 epochs, short side 800 and at most 1333 on the long one, mirroring.
Drop-path 0.2 is that of mmdetection's Swin-T.
Images without objects are trained on too; mmdetection leaves them out. COCO's 118,287 images are
7,392 steps an epoch.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="detect",
    dataset="coco:COCO2017",
    model="pale_t",
    image_size=800,
    epochs=12,
    batch_size=16,
    learning_rate=1e-4,
    base_batch_size=16,
    warmup_epochs=1000 / 7392,
    weight_decay=0.05,
    schedule="steps",
    drops=[8, 11],
    drop_path_rate=0.2,
    settings={"short_sides": [800, 800], "long_side": 1333, "flip": True},
)
