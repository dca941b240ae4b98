"""Pale-T with UPerNet on ADE20K at 512×512. Not run here: nobody has measured what it reaches.

python training/fit.py --recipe ade20k_pale_t --dataset ade20k:ADEChallengeData2016 \\
    --weights IMAGENET_RUN --strategy mirrored --precision mixed_bfloat16 --out RUN --resume

The paper's: 160k steps with batches of 16 at 512×512. All else is the recipe of Swin (Liu et al.
2021) and CSWin (Dong et al. 2022): AdamW, learning rate 6e-5, weight decay 0.01, linear warm-up of
1,500 steps and linear decay to 0, drop-path 0.3, short side 512 and at most 2048 on the long one,
random scale 0.5 to 2, crops of which no class fills more than 75%, mirroring, photometric
distortion, an auxiliary head with weight 0.4, and for the multi-scale test
`evaluate.py --scales 0.5 0.75 1 1.25 1.5 1.75 --flip`. Where that recipe leaves weights of the
auxiliary head and dropout open, they are mmsegmentation's.
127 epochs of 1,263 steps are 160,401 steps.
"""

from training.recipe import Recipe

RECIPE = Recipe(
    task="segment",
    dataset="ade20k:ADEChallengeData2016",
    model="pale_t",
    image_size=512,
    epochs=127,
    batch_size=16,
    learning_rate=6e-5,
    base_batch_size=16,
    warmup_epochs=1500 / 1263,
    weight_decay=0.01,
    schedule="linear",
    drop_path_rate=0.3,
    settings={
        "short_side": 512,
        "scales": [0.5, 2.0],
        "largest_share": 0.75,
        "flip": True,
        "photometric": True,
    },
)
