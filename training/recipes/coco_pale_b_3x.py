"""Pale-B with Mask R-CNN on COCO, 3× schedule. Not run here: nobody has measured what it reaches.

The recipe `coco_pale_t_3x` with the network of `coco_pale_b`.

python training/fit.py --recipe coco_pale_b_3x --dataset coco:COCO2017 \\
    --weights IMAGENET_RUN --strategy mirrored --precision mixed_bfloat16 --out RUN --resume
"""

import dataclasses

from training.recipes import coco_pale_b, coco_pale_t_3x

RECIPE = dataclasses.replace(
    coco_pale_t_3x.RECIPE,
    model=coco_pale_b.RECIPE.model,
    drop_path_rate=coco_pale_b.RECIPE.drop_path_rate,
)
