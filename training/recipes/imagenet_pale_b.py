"""Pale-B on ImageNet-1k at 224×224. Not run here: nobody has measured what it reaches.

python training/fit.py --recipe imagenet_pale_b --strategy mirrored --precision mixed_bfloat16 \\
    --data-dir DIR --out RUN --resume

As `imagenet_pale_t.py` in all, the paper's and CSWin's, but for what CSWin has for its base
network: batch, learning rate, weight decay, drop-path rate and the decay of the averages.
"""

import dataclasses

from training.recipes import imagenet_pale_t

RECIPE = dataclasses.replace(
    imagenet_pale_t.RECIPE,
    model="pale_b",
    batch_size=1024,
    base_batch_size=1024,
    learning_rate=1e-3,
    weight_decay=0.1,
    drop_path_rate=0.5,
    ema_decay=0.99992,
)
