"""Configurations of others' checkpoints: which network of this package a checkpoint is of."""

import re
import typing

import numpy as np

from pale_tf import names
from pale_tf.backbone import IMAGE_DEVIATION, IMAGE_MEAN
from pale_tf.checkpoints import PREPROCESSOR
from pale_tf.configs import NETWORKS, PaleConfig, check_four_stages
from pale_tf.decoders.upernet import BINS
from pale_tf.layers.normalization import LAYER_NORM_EPSILON

CLASSIFIER, FEATURES, SEGMENTER = (
    "SwinForImageClassification",
    "SwinModel",
    "UperNetForSemanticSegmentation",
)
# Of values in 0..1: what Swin's checkpoints were trained with.
MEAN, DEVIATION = IMAGE_MEAN / 255, IMAGE_DEVIATION / 255

# Channels, depths and heads of timm's networks (microsoft/Swin-Transformer, configs/).
TIMM = {
    **{
        name: (config.embed_dim, config.depths, config.num_heads)
        for name, config in (
            ("swin_tiny", NETWORKS["swin_t"]),
            ("swin_small", NETWORKS["swin_s"]),
            ("swin_base", NETWORKS["swin_b"]),
        )
    },
    "swin_large": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
}


class Plan(typing.NamedTuple):
    """The network of a checkpoint, before its tensors are looked at.

    Attributes:
        architecture: `CLASSIFIER`, `FEATURES` or `SEGMENTER`.
        config: The `PaleConfig` of the backbone.
        labels: Names of the classes; empty if the checkpoint has none.
        classes: Number of classes; 0 without a classifier.
        image_size: `(height, width)` of the images that it was trained with, in pixels.
        crop_fraction: Part of an image's short side that evaluation keeps, in `(0, 1]`.
        mean, deviation: By which images in 0..255 are normalized, one for each channel.
        channels: Channels of a segmenter's head, or None.
    """

    architecture: str
    config: PaleConfig
    labels: list
    classes: int
    image_size: tuple[int, int]
    crop_fraction: float
    mean: tuple
    deviation: tuple
    channels: int | None = None


def plan_of(checkpoint):
    """Reads which network a checkpoint is of.

    Args:
        checkpoint: A `pale_tf.checkpoints.Checkpoint`.

    Returns:
        A `Plan`.

    Raises:
        ValueError: If the configuration is not one of transformers' Swin, of UPerNet on it, or of
            timm's Swin, or sets what this package does otherwise.
    """
    if "architecture" in checkpoint.config:
        return _plan_of_timm(checkpoint)
    config, path = checkpoint.config, checkpoint.path
    kind, architectures = config.get("model_type"), config.get("architectures")
    architecture = architectures[0] if isinstance(architectures, list) and architectures else None
    known = {CLASSIFIER: "swin", FEATURES: "swin", SEGMENTER: "upernet"}
    if str(architecture) not in known or known[architecture] != kind:
        raise ValueError(
            f"`path` must be a checkpoint whose `architectures` are one of {[*known]}, or timm's "
            f"Swin. Received: {str(path)!r}, of {architecture!r}, `model_type` {kind!r}"
        )
    labels = [] if architecture == FEATURES else _labels(config.get("id2label"), path)
    common = {"architecture": architecture, "labels": labels, "classes": len(labels)}
    preprocessor = checkpoint.preprocessor
    common |= _preprocessing(preprocessor, path)
    if architecture != SEGMENTER:
        size = _given(config, "image_size", 224)
        size, crop = _image_size(preprocessor, size, path)
        common["crop_fraction"] *= crop
        return Plan(config=_swin(config, path), image_size=size, **common)
    backbone = config.get("backbone_config")
    if not isinstance(backbone, dict) or backbone.get("model_type") != "swin":
        found = backbone.get("model_type") if isinstance(backbone, dict) else backbone
        _refuse(path, "the backbone of UPerNet", "'swin'", found)
    stages = [f"stage{stage}" for stage in names.STAGES]
    _check_fields(config, {"pool_scales": list(BINS)}, path)
    _check_fields(backbone, {"out_features": stages}, path)
    return Plan(
        config=_swin(backbone, path, always_partition=True),
        image_size=_image_size(preprocessor, 512, path)[0],
        channels=_positive("hidden_size", _given(config, "hidden_size", 512), path),
        **common,
    )


def _plan_of_timm(checkpoint):
    """The `Plan` of a checkpoint of timm."""
    config, path = checkpoint.config, checkpoint.path
    architecture = str(config["architecture"])
    found = re.fullmatch(r"(swin_[a-z]+)_patch4_window(\d+)_(\d+)(\..+)?", architecture)
    if not found or found[1] not in TIMM:
        _refuse(path, "timm's `architecture`", f"one of {[*TIMM]}, with its sizes", architecture)
    arguments, settings = (_object(config, key, path) for key in ("model_args", "pretrained_cfg"))
    _check_fields(arguments, {"in_chans": 3, "global_pool": "avg"}, path)
    known = ("img_size", "in_chans", "global_pool", "num_classes")
    if set(arguments).difference(known):
        _refuse(path, "timm's `model_args`", f"none but {list(known)}", arguments)
    classes, labels = config.get("num_classes", 1000), config.get("label_names") or []
    if classes != 0:
        _positive("num_classes", classes, path)
    if not isinstance(labels, list) or (labels and len(labels) != classes):
        _refuse(path, "timm's `label_names`", f"{classes} names, or none", labels)
    preprocessing = {
        "image_mean": settings.get("mean"),
        "image_std": settings.get("std"),
        "crop_pct": settings.get("crop_pct"),
    }
    return Plan(
        architecture=CLASSIFIER if classes else FEATURES,
        config=_pale_config(*TIMM[found[1]], int(found[2]), padding="timm"),
        labels=[str(label) for label in labels],
        classes=classes,
        image_size=_image_size({"size": arguments.get("img_size")}, int(found[3]), path)[0],
        **_preprocessing(preprocessing, path),
    )


def _swin(config, path, **options):
    """The `PaleConfig` of transformers' configuration of a Swin."""
    expected = {
        "patch_size": 4,
        "num_channels": 3,
        "hidden_act": "gelu",
        "qkv_bias": True,
        "use_absolute_embeddings": False,
        "layer_norm_eps": LAYER_NORM_EPSILON,
    }
    _check_fields(config, expected, path)
    try:
        return _pale_config(
            config.get("embed_dim", 96),
            config.get("depths", (2, 2, 6, 2)),
            config.get("num_heads", (3, 6, 12, 24)),
            config.get("window_size", 7),
            config.get("mlp_ratio", 4),
            config.get("drop_path_rate", 0.1),
            **options,
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"`path`: {path}: {error}") from error


def _pale_config(embed_dim, depths, heads, window, mlp_ratio=4, drop_path_rate=0.1, **options):
    """The `PaleConfig` of a Swin of four stages that computes as its authors' code does."""
    shape = (embed_dim, tuple(depths), tuple(heads))
    found = (
        name
        for name, known in NETWORKS.items()
        if name.startswith("swin") and (known.embed_dim, known.depths, known.num_heads) == shape
    )
    config = PaleConfig(
        next(found, "swin"),
        *shape,
        mlp_ratio=mlp_ratio,
        drop_path_rate=drop_path_rate,
        attention="shifted_window",
        attention_options={"window_size": window, "padding": "swin", **options},
        projection="linear",
        position="none",
        merging="patch",
    )
    check_four_stages(config)
    return config


def _preprocessing(settings, path):
    """`mean`, `deviation` and `crop_fraction` of a preprocessor's settings."""
    mean = _given(settings, "image_mean", MEAN)
    deviation = _given(settings, "image_std", DEVIATION)
    if settings.get("do_normalize") is False:
        mean, deviation = (0.0,) * 3, (1.0,) * 3
    factor = _given(settings, "rescale_factor", 1 / 255)
    if settings.get("do_rescale") is False:
        factor = 1.0
    try:  # of values in 0..255: the preprocessor scales them by the factor first
        mean, deviation = (np.array(value, "float64") / factor for value in (mean, deviation))
        usable = mean.shape == deviation.shape == (3,) and np.isfinite(mean).all()
        usable = usable and (deviation > 0).all() and np.isfinite(deviation).all()
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        usable = False
    if not usable:
        found = {key: settings.get(key) for key in ("image_mean", "image_std", "rescale_factor")}
        _refuse(path, PREPROCESSOR, "of three means, and three deviations above 0", found)
    fraction = _given(settings, "crop_pct", 1.0)
    if not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        _refuse(path, "`crop_pct`", "a number above 0, at most 1", fraction)
    return {
        "mean": tuple(mean.tolist()),
        "deviation": tuple(deviation.tolist()),
        "crop_fraction": float(fraction),
    }


def _image_size(settings, default, path):
    """`(height, width)` of the images that a preprocessor's settings give, in any of the forms that
    they have, and the part of the short side that a crop to it keeps."""
    size = _given(settings, "size", default)
    scaled = _sides(size, path)
    if not settings.get("do_center_crop"):
        return scaled, 1.0
    cropped = _sides(_given(settings, "crop_size", size), path)
    if min(cropped) > min(scaled):
        _refuse(path, "`crop_size`", f"at most the `size`, {size}", settings["crop_size"])
    return cropped, min(cropped) / min(scaled)


def _sides(size, path):
    """`(height, width)` of a size."""
    sides = size
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        sides = size.get("height", edge), size.get("width", edge)
    elif not isinstance(size, list | tuple):
        sides = size, size
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        _refuse(path, "the size of images", "a number of pixels, or two", size)
    return tuple(sides)


def _given(settings, field, default):
    """The value of a field; the default where it is missing, or null."""
    value = settings.get(field)
    return default if value is None else value


def _positive(field, value, path):
    if type(value) is not int or value < 1:
        _refuse(path, f"`{field}`", "a positive integer", value)
    return value


def _object(config, field, path):
    """The contents of a field that holds an object; an empty one where it is missing, or null."""
    value = _given(config, field, {})
    if not isinstance(value, dict):
        _refuse(path, f"`{field}`", "an object", value)
    return value


def _labels(id2label, path):
    """Names of the classes in the order of their indices; transformers' default is two."""
    id2label = {"0": "LABEL_0", "1": "LABEL_1"} if id2label is None else id2label
    found = {str(k): str(v) for k, v in id2label.items()} if isinstance(id2label, dict) else {}
    indices = [str(index) for index in range(len(found))]
    if not found or set(found) != set(indices):
        _refuse(path, "`id2label`", "names of the classes from 0 on", id2label)
    return [found[index] for index in indices]


def _check_fields(config, expected, path):
    """Raises a `ValueError` unless what a configuration says of some fields is what is expected."""
    for field, value in expected.items():
        if config.get(field, value) != value:
            _refuse(path, f"`{field}`", repr(value), config[field])


def _refuse(path, what, expected, received):
    """Raises a `ValueError` about the configuration of a checkpoint."""
    raise ValueError(f"`path`: {path}: {what} must be {expected}. Received: {received!r}")
