"""Pale-T with Mask R-CNN on COCO, 3× schedule. Not run here: nobody has measured what it reaches.

The recipe `coco_pale_t` with what Swin's 3× schedule changes: 36 epochs, a tenth of the rate after
27 and after 33, short sides of 480 to 800, and DETR's crop of half of the images.

python training/fit.py --recipe coco_pale_t_3x --dataset coco:COCO2017 \\
    --weights IMAGENET_RUN --strategy mirrored --precision mixed_bfloat16 --out RUN --resume
"""

import dataclasses

from training.recipes import coco_pale_t

RECIPE = dataclasses.replace(
    coco_pale_t.RECIPE,
    epochs=36,
    drops=[27, 33],
    settings=coco_pale_t.RECIPE.settings | {"short_sides": [480, 800], "crop": True},
)
