"""Pale-B with UPerNet on ADE20K at 512×512. Not run here: nobody has measured what it reaches.

python training/fit.py --recipe ade20k_pale_b --dataset ade20k:ADEChallengeData2016 \\
    --weights IMAGENET_RUN --strategy mirrored --precision mixed_bfloat16 --out RUN --resume

As `ade20k_pale_t.py` in all, the paper's and CSWin's, but for the drop-path rate, which is ours.
"""

import dataclasses

from training.recipes import ade20k_pale_t

RECIPE = dataclasses.replace(ade20k_pale_t.RECIPE, model="pale_b", drop_path_rate=0.5)
