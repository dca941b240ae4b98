"""Checkpoints of others as networks of this package: Swin, and UPerNet on Swin."""

import typing

import keras
import numpy as np

from pale_tf import names
from pale_tf.backbone import image_input
from pale_tf.checkpoint_configs import CLASSIFIER, FEATURES, SEGMENTER, Plan, plan_of
from pale_tf.checkpoint_names import as_ours
from pale_tf.checkpoints import read_checkpoint, read_tensors
from pale_tf.layers.folding import path_inside
from pale_tf.models import pale_network
from pale_tf.segmenter import pale_segmenter


class Pretrained(typing.NamedTuple):
    """A network with the weights of a checkpoint, and what else the checkpoint tells.

    Attributes:
        network: The `keras.Model`.
        plan: The `pale_tf.checkpoint_configs.Plan`: labels, image size and so on.
    """

    network: keras.Model
    plan: Plan


def load_pretrained(path, input_shape=None):
    """Loads a Swin, or UPerNet on a Swin, from a checkpoint of transformers or timm.

    The numbers are the original's: weights are copied tensor by tensor, with none left over on
    either side, and tokens attend to padding as they do there. PyTorch is not needed, and nothing
    is unpickled.

    | checkpoint | result |
    |---|---|
    | transformers' `SwinForImageClassification` | classifier |
    | transformers' `SwinModel` | its last map, normed: `[B, ceil(H/32), ceil(W/32), C]` |
    | transformers' `UperNetForSemanticSegmentation` on Swin | segmenter, no auxiliary head |
    | timm's `swin_tiny`, `_small`, `_base`, `_large` | classifier; its last map without a head |

    Args:
        path: A folder with `model.safetensors` and `config.json`, as `save_pretrained` and the Hub
            have it, or a safetensors file beside such a `config.json`. `preprocessor_config.json`,
            or timm's `pretrained_cfg`, sets the normalization; without it, it is ImageNet's.
        input_shape: `(H, W, 3)`; H and W may be any size, or None for sizes known at run time.
            Defaults to the size of the checkpoint for classifiers, else to `(None, None, 3)`.

    Returns:
        A `PaleModel` from images `[B, H, W, 3]`, values in 0..255, to probabilities or features.

    Raises:
        ValueError: If the checkpoint is damaged or a pickle, if it is of another kind of network,
            or if a tensor is missing, left over, or of another shape.
    """
    return read_pretrained(path, input_shape).network


def read_pretrained(path, input_shape=None):
    """Loads a checkpoint with what else it tells.

    Arguments and errors are those of `load_pretrained`.

    Returns:
        A `Pretrained`.
    """
    checkpoint = read_checkpoint(path)
    plan = plan_of(checkpoint)
    if input_shape is None:
        input_shape = (*plan.image_size, 3) if plan.architecture == CLASSIFIER else (None, None, 3)
    image, _ = image_input(input_shape)
    ours, unknown = as_ours(read_tensors(checkpoint))
    if plan.architecture == SEGMENTER:
        # The final norm of the backbone, which UPerNet does not read; the auxiliary head trains.
        ours = {k: v for k, v in ours.items() if not k.startswith(("norm/", names.AUXILIARY))}
    # Before anything is built: a configuration may claim more than memory holds.
    _check(_sizes(plan, ours), ours, [], checkpoint.path)
    network = _build(plan, image)
    _assign(network, ours, unknown, checkpoint.path)
    return Pretrained(network, plan)


def _sizes(plan, ours):
    """Shapes of the tensors that all sizes of a network follow from, by path."""
    config, channels = plan.config, plan.config.embed_dim
    options = config.of_stage("attention_options", 0)
    expected = {
        f"{names.merging(1)}/convolution/kernel": (4, 4, 3, channels),
        f"{names.block_prefix(1, 1)}_mlp/expand/kernel": (
            channels,
            int(config.mlp_ratio * channels),
        ),
    }
    for stage, depth in zip(names.STAGES, config.depths, strict=True):
        table = ((2 * options["window_size"] - 1) ** 2, config.num_heads[stage - 1])
        for block in range(1, depth + 1):
            path = f"{names.block_prefix(stage, block)}_attention/position_table"
            expected[path] = table
            if path not in ours:
                break  # before the depth, which may be any number, is gone through
    if plan.architecture != FEATURES:
        kernel = (1, 1, plan.channels) if plan.channels else (config.stage_dims[-1],)
        expected[f"{names.PREDICTIONS}/kernel"] = (*kernel, plan.classes)
    return expected


def _build(plan, image):
    """The network of a `Plan` on a Keras tensor of images, with random weights."""
    normalization = keras.layers.Normalization(
        mean=plan.mean, variance=np.square(plan.deviation), name=names.PREPROCESSING
    )
    options = {"include_preprocessing": False, "input_tensor": normalization(image)}
    if plan.architecture == SEGMENTER:
        options |= {"channels": plan.channels, "output_norms": True}
        return pale_segmenter(plan.config, plan.classes, **options)
    if plan.architecture == CLASSIFIER:
        return pale_network(plan.config, classes=plan.classes, **options)
    return pale_network(plan.config, include_top=False, **options)


def _assign(network, ours, unknown, path):
    """Gives a network its weights, all of them, or raises a `ValueError` and gives it none."""
    variables = {
        f"{layer.name}/{path_inside(layer, weight)}": weight
        for layer in network.layers
        for weight in layer.weights
        if "seed_generator" not in weight.path and layer.name != names.PREPROCESSING
    }
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    left = [*unknown, *(ours.keys() - variables.keys())]
    _check(shapes, ours, left, path)
    for name, variable in variables.items():
        variable.assign(ours[name])


def _check(shapes, ours, left, path):
    """Raises a `ValueError` unless tensors have the shapes that they must have, and numbers.

    Args:
        shapes: Shapes of tensors that must be there, by path.
        ours: Dict of arrays by path.
        left: Names of tensors that nothing takes.
        path: Path of the checkpoint.
    """
    wrong = [f"{name} is missing" for name in shapes if name not in ours]
    wrong += [
        f"{name} has the shape {ours[name].shape}, must be {shape}"
        for name, shape in shapes.items()
        if name in ours and ours[name].shape != shape
    ]
    wrong += [f"{name} is left over" for name in left]
    wrong += [
        f"{name} is not of finite numbers"
        for name in shapes
        if name in ours and not (ours[name].dtype.kind == "f" and np.isfinite(ours[name]).all())
    ]
    if wrong:
        raise ValueError(
            "`path` must have the tensors of its configuration. "
            f"Received: {str(path)!r}, in which {len(wrong)} differ, the first: {wrong[0]}"
        )
