"""Peers of Pale-T: the machine's own matrix products, and Swin-T, also with UPerNet, in PyTorch."""

import functools
import importlib.util
import os

import numpy as np
import tensorflow as tf

from benchmarks.segmenters import CLASSES

PRODUCT = 2048  # rows and columns of the matrices: far more work than memory
FLOPS = 2 * PRODUCT**3  # floating-point operations of their product


def matrix_product():
    """A function that multiplies two square matrices of a dtype."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(PRODUCT, PRODUCT)) for _ in range(2))
    multiply = tf.function(lambda a, b: tf.matmul(a, b)[0, 0])
    matrices = {
        dtype: [tf.cast(matrix, dtype) for matrix in (a, b)] for dtype in ("float32", "bfloat16")
    }
    return lambda dtype: multiply(*matrices[dtype]).numpy()


def has_peers():
    """Whether the extra `peers` is installed."""
    return all(map(importlib.util.find_spec, ("torch", "transformers")))


def swin_t():
    """`transformers`' Swin-T with random weights, on all cores."""
    import transformers

    _prepare_torch()
    return transformers.SwinForImageClassification(transformers.SwinConfig(num_labels=1000))


def swin_inference():
    """A function that classifies a number of images with Swin-T, eagerly."""
    import torch

    model = swin_t().eval()
    inputs = functools.cache(lambda batch: torch.randn(batch, 3, 224, 224))

    def run(batch):
        with torch.inference_mode():
            model(pixel_values=inputs(batch))

    return run


def swin_training(batch):
    """A function that trains Swin-T on a batch for one step of AdamW, eagerly."""
    import torch

    model = swin_t().train()
    images, labels = torch.randn(batch, 3, 224, 224), torch.arange(batch)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.05)

    def run():
        optimizer.zero_grad()
        logits = model(pixel_values=images).logits
        torch.nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()

    return run


def upernet():
    """`transformers`' UPerNet on Swin-T for ADE20K with random weights, without the auxiliary head,
    on all cores."""
    import transformers

    _prepare_torch()
    stages = [f"stage{stage}" for stage in (1, 2, 3, 4)]
    config = transformers.UperNetConfig(
        backbone_config=transformers.SwinConfig(out_features=stages),
        hidden_size=512,
        use_auxiliary_head=False,
        num_labels=CLASSES,
    )
    return transformers.UperNetForSemanticSegmentation(config)


def upernet_inference(size):
    """A function that segments a number of images of a size with UPerNet, eagerly."""
    import torch

    model = upernet().eval()
    inputs = functools.cache(lambda batch: torch.randn(batch, 3, size, size))

    def run(batch):
        with torch.inference_mode():
            model(pixel_values=inputs(batch))

    return run


def upernet_openvino(size):
    """A function that segments a number of images of a size with UPerNet, converted to OpenVINO; in
    float32, as the others compute."""
    import openvino
    import torch

    example = {"pixel_values": torch.randn(1, 3, size, size)}
    model = openvino.convert_model(upernet().eval(), example_input=example)
    model.reshape([-1, 3, size, size])
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }
    compiled = openvino.compile_model(model, "CPU", settings)
    inputs = functools.cache(lambda batch: torch.randn(batch, 3, size, size).numpy())
    return lambda batch: compiled(inputs(batch))


def _prepare_torch():
    """Seeds PyTorch, and lets it use all cores that the process may use."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
