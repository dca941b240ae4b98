"""Pale-S with Mask R-CNN on COCO, 1× schedule. Not run here: nobody has measured what it reaches.

The recipe `coco_pale_t` with another network. Drop-path 0.2 is that of mmdetection's Swin-S.

python training/fit.py --recipe coco_pale_s --dataset coco:COCO2017 \\
    --weights IMAGENET_RUN --strategy mirrored --precision mixed_bfloat16 --out RUN --resume
"""

import dataclasses

from training.recipes import coco_pale_t

RECIPE = dataclasses.replace(coco_pale_t.RECIPE, model="pale_s", drop_path_rate=0.2)
