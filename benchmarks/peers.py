"""Peers of Pale-T: the machine's own matrix products, and Swin-T, also with UPerNet, in PyTorch."""

import contextlib
import functools
import importlib.util
import io
import os
import tempfile

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


def has_onnx():
    """Whether ONNX Runtime is installed, and what converts to it."""
    return all(map(importlib.util.find_spec, ("onnx", "onnxruntime")))


def swin_t():
    """`transformers`' Swin-T with random weights, on all cores."""
    import transformers

    _prepare_torch()
    return transformers.SwinForImageClassification(transformers.SwinConfig(num_labels=1000))


def swin_inference(compiled=False):
    """A function that classifies a number of images with Swin-T, eagerly or, if `compiled`, under
    `torch.compile`."""
    import torch

    model = swin_t().eval()
    return _inference(torch.compile(model) if compiled else model, 224)


def swin_openvino(precision):
    """A function that classifies a number of images with Swin-T, converted to OpenVINO for each
    batch; in eight bits as Pale-T is, see `export.intermediate.quantization`."""
    compiled = functools.cache(lambda batch: _compile(swin_t(), batch, 224, precision))
    return lambda batch: compiled(batch)()


def swin_onnx():
    """A function that classifies a number of images with Swin-T in ONNX Runtime, converted for each
    batch."""
    import onnxruntime
    import torch

    @functools.cache
    def session(batch):
        model = swin_t().eval()
        images = torch.randn(batch, 3, 224, 224)  # like the weights, from the seed
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            file = os.path.join(folder, "swin.onnx")
            torch.onnx.export(model, (images,), file, input_names=["images"], dynamo=False)
            opened = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        return opened, {"images": images.numpy()}

    def run(batch):
        opened, inputs = session(batch)
        return opened.run(None, inputs)[0]

    return run


def swin_training(batch, compiled=False):
    """A function that trains Swin-T on a batch for one step of AdamW, eagerly or, if `compiled`,
    under `torch.compile`."""
    import torch

    model = swin_t().train()
    model = torch.compile(model) if compiled else model
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
    return _inference(upernet().eval(), size)


def upernet_openvino(size):
    """A function that segments a number of images of a size with UPerNet, converted to OpenVINO for
    each batch; in float32, as the others compute."""
    compiled = functools.cache(lambda batch: _compile(upernet(), batch, size, "float32"))
    return lambda batch: compiled(batch)()


def _inference(model, size):
    """A function that runs a network of PyTorch on a number of random images of a size."""
    import torch

    inputs = functools.cache(lambda batch: torch.randn(batch, 3, size, size))

    def run(batch):
        with torch.inference_mode():
            model(pixel_values=inputs(batch))

    return run


def _compile(model, batch, size, precision):
    """A function that runs a network of PyTorch, converted to OpenVINO, on images of a size."""
    import openvino
    import torch

    from export.intermediate.quantization import quantize

    images = torch.randn(batch, 3, size, size)
    # The only way from PyTorch. It tells Intel that it was used, unless `opt_in_out --opt_out` ran.
    converted = openvino.convert_model(model.eval(), example_input={"pixel_values": images})
    converted.reshape([batch, 3, size, size])
    if precision == "int8":
        converted = quantize(converted, images.numpy())
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }
    request = openvino.compile_model(converted, "CPU", settings).create_infer_request()
    return lambda: request.infer([images.numpy()])


def _prepare_torch():
    """Seeds PyTorch, and lets it use all cores that the process may use."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
