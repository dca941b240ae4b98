"""What Pale-T is timed beside: the machine's own matrix products, and Swin-T in PyTorch."""

import functools
import importlib.util
import os

import numpy as np
import tensorflow as tf

PRODUCT = 2048  # rows and columns of the matrices: far more work than memory
SWIN_MACS = 4.491e9  # of an image at 224×224, `python benchmarks/complexity.py --variants swin_t`


def matrix_product(dtype):
    """A function that multiplies two square matrices, and its floating-point operations."""
    rng = np.random.default_rng(0)
    a, b = (tf.cast(rng.normal(size=(PRODUCT, PRODUCT)), dtype) for _ in range(2))
    multiply = tf.function(lambda: tf.matmul(a, b))
    return lambda: multiply().cpu(), 2 * PRODUCT**3


def has_peers():
    """Whether the extra `peers` is installed."""
    return all(map(importlib.util.find_spec, ("torch", "transformers")))


@functools.cache
def swin_t():
    """`transformers`' Swin-T with random weights, on all cores."""
    import torch
    import transformers

    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return transformers.SwinForImageClassification(transformers.SwinConfig(num_labels=1000))


def swin_inference(batch):
    """A function that classifies a batch with Swin-T, eagerly."""
    import torch

    model = swin_t()
    images = torch.randn(batch, 3, 224, 224)

    def run():
        with torch.inference_mode():
            model.eval()(pixel_values=images)

    return run


def swin_training(batch):
    """A function that trains Swin-T on a batch for one step of AdamW, eagerly."""
    import torch

    model = swin_t()
    images, labels = torch.randn(batch, 3, 224, 224), torch.arange(batch)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.05)

    def run():
        optimizer.zero_grad()
        logits = model.train()(pixel_values=images).logits
        torch.nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()

    return run
