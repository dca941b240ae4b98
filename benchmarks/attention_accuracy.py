"""Trains one small network of benchmarks/attentions.py."""

import functools
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.attention_networks import NETWORKS
from common.preparation import evaluation_image
from training.data.sources import open_source
from training.loop.optimizer import exclude_from_decay

# One recipe for all: AdamW, linear warm-up over a tenth of the steps, cosine.
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
STEPS = {"digits": 300, "long_range": 400}
DATA = {
    "digits": ("digits", 32),
    "long_range": ("tfds:long_range", 64),
}


def train(task, attention, seeds, data_dir, share=1.0):
    """Trains and tests a network once for each seed.

    Args:
        task: A key of `NETWORKS`.
        attention: Name of the attention.
        seeds: Seeds of weights and order.
        data_dir: Folder of TFDS data sets.
        share: Share of the steps, for a quick look.

    Returns:
        For each seed, a dict of what ran, its `accuracy` on the test images, its `loss` and the
        seconds it took; the first one's include tracing.
    """
    keras.backend.clear_session()
    (x, y), test = load(task, data_dir)
    steps = step_count(task, share)
    model, rows = compiled(NETWORKS[task](attention), steps), []
    for seed in seeds:
        start = time.perf_counter()
        restart(model, NETWORKS[task], attention, seed)
        chosen = np.random.default_rng(seed).integers(0, len(x), (steps, BATCH))
        history = model.fit(Batches(x, y, chosen), verbose=0, shuffle=False)
        loss, accuracy = model.evaluate(*test, batch_size=100, verbose=0)
        rows.append(
            {
                "task": task,
                "attention": attention,
                "seed": seed,
                "steps": steps,
                "accuracy": float(accuracy),
                "loss": float(loss),
                "train_loss": float(history.history["loss"][-1]),
                "seconds": time.perf_counter() - start,
            }
        )
    return rows


def step_count(task, share):
    """Training steps of a task."""
    return max(1, round(STEPS[task] * share))


class Batches(keras.utils.PyDataset):
    """Images and labels of chosen indices `[steps, batch]`."""

    def __init__(self, x, y, chosen):
        super().__init__()
        self.x, self.y, self.chosen = x, y, chosen

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, step):
        return self.x[self.chosen[step]], self.y[self.chosen[step]]


def compiled(model, steps):
    """The network, ready for `fit`."""
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, warmup_target=LEARNING_RATE, warmup_steps=steps // 10
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY, clipnorm=1.0)
    exclude_from_decay(optimizer, model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def restart(model, make, attention, seed):
    """Gives the network the weights of a new one, without tracing its step again."""
    keras.utils.set_random_seed(seed)
    model.set_weights(make(attention).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))


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
