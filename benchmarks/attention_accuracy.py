"""Trains one small network of benchmarks/attentions.py."""

import functools
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.attention_networks import NETWORKS
from common.images import evaluation_image
from training.sources import open_source

# One recipe for all: AdamW, linear warm-up over a tenth of the steps, cosine.
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
STEPS = {"digits": 300, "long_range_1": 400, "long_range_2": 400}
DATA = {
    "digits": ("digits", 32),
    "long_range_1": ("tfds:long_range", 64),
    "long_range_2": ("tfds:long_range", 64),
}


def train(task, attention, seed, data_dir, share=1.0):
    """Trains and tests a network.

    Args:
        task: A key of `NETWORKS`.
        attention: Name of the attention.
        seed: Seed of weights and order.
        data_dir: Folder of TFDS data sets.
        share: Share of the steps, for a quick look.

    Returns:
        Dict of what ran, its `accuracy` on the test images, its `loss` and the seconds it took.
    """
    keras.utils.set_random_seed(seed)
    (x, y), (test_x, test_y) = load(task, data_dir)
    model, steps = NETWORKS[task](attention), max(1, round(STEPS[task] * share))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, warmup_target=LEARNING_RATE, warmup_steps=steps // 10
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "depthwise"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    start = time.perf_counter()
    rng = np.random.default_rng(seed)

    def batches():
        for _ in range(steps):
            chosen = rng.integers(0, len(x), BATCH)
            yield x[chosen], y[chosen]

    signature = (tf.TensorSpec((BATCH, *x.shape[1:])), tf.TensorSpec((BATCH,), tf.int64))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
    history = model.fit(data, epochs=1, verbose=0)
    test_loss, accuracy = model.evaluate(test_x, test_y, batch_size=100, verbose=0)
    return {
        "task": task,
        "attention": attention,
        "seed": seed,
        "steps": steps,
        "accuracy": float(accuracy),
        "loss": float(test_loss),
        "train_loss": float(history.history["loss"][-1]),
        "seconds": time.perf_counter() - start,
    }


@functools.cache
def load(task, data_dir):
    """Training and test images of a task, and their labels; makes the data set if need be."""
    name, size = DATA[task]
    source = open_source(name, data_dir)
    return [arrays(source, split, size) for split in ("train", "test")]


def arrays(source, split, size):
    """Images `[N, size, size, 3]` and labels of a split."""
    images, labels = [], []
    for encoded, label, _ in source.read(split).as_numpy_iterator():
        images.append(evaluation_image(tf.io.decode_png(encoded), size))
        labels.append(label)
    return np.stack(images).astype("float32"), np.array(labels)
