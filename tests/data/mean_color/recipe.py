"""The mean colors of small images."""

from training.recipe import Recipe

RECIPE = Recipe(
    task="mean_color",
    dataset="folder:images",
    model="none",
    image_size=16,
    epochs=3,
    batch_size=8,
    learning_rate=3e-3,
    base_batch_size=8,
    warmup_epochs=0,
    weight_decay=0.0,
    ema_decay=0.9,
)
