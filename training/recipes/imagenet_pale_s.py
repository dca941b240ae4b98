"""Pale-S on ImageNet-1k at 224×224. Not run here: nobody has measured what it reaches.

python training/fit.py --recipe imagenet_pale_s --strategy mirrored --precision mixed_bfloat16 \\
    --data-dir DIR --out RUN --resume

As `imagenet_pale_t.py` in all, the paper's and CSWin's, but for CSWin's drop-path rate.
"""

import dataclasses

from training.recipes import imagenet_pale_t

RECIPE = dataclasses.replace(imagenet_pale_t.RECIPE, model="pale_s", drop_path_rate=0.4)
