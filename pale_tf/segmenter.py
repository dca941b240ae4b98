"""Semantic segmentation: UPerNet on a backbone of this project."""

import dataclasses

import keras

from pale_tf import names
from pale_tf.backbone import PaleModel, image_input, pale_stages
from pale_tf.checks import check_positive_int
from pale_tf.configs import check_four_stages, resolve_config
from pale_tf.decoders.upernet import fully_convolutional, upernet
from pale_tf.layers.initializers import SCORES_INITIALIZER
from pale_tf.layers.resizing import ResizeLike
from pale_tf.weights import check_weights_path, load_weights

DROPOUT = 0.1  # of whole channels, in front of the class scores, as in mmsegmentation


def pale_segmenter(
    config,
    classes,
    input_shape=(None, None, 3),
    include_preprocessing=True,
    weights=None,
    channels=512,
    auxiliary=False,
    classifier_activation="softmax",
    output_norms=False,
    drop_path_rate=None,
    name=None,
    input_tensor=None,
):
    """Builds UPerNet on a backbone: a model from images to a class for each pixel.

    Reference: [Unified Perceptual Parsing for Scene Understanding](
    https://arxiv.org/abs/1807.10221), ECCV 2018; with a Pale Transformer: Wu et al. 2022, section
    4.3. There are no pre-trained weights.

    Args:
        config: `"nano"`, `"tiny"`, `"small"`, `"base"`, a name in `pale_tf.configs.NETWORKS`, or a
            `PaleConfig`.
        classes: Number of classes.
        input_shape: `(H, W, 3)`; H and W may be any size, or None for sizes known at run time.
        include_preprocessing: Whether the model normalizes its inputs with ImageNet's mean and
            deviation. Inputs are then floats in 0..255; otherwise they come normalized.
        weights: Path of a `.weights.h5` or `.keras` file of the same segmenter, or of any model
            with this backbone, or None for random weights. What does not fit outside the backbone
            stays random, and a warning says so.
        channels: Channels of the head. 512 in the paper; small networks for small images need
            fewer.
        auxiliary: Whether to add the auxiliary head, on `P4` with `channels // 2`, that training
            uses.
        classifier_activation: Activation of the class scores; None for logits. The scores, their
            resizing and the activation are computed in float32 under every dtype policy.
        output_norms: Whether every level of the pyramid goes through a LayerNorm of its own, as
            Swin's do in front of dense heads.
        drop_path_rate: Stochastic depth rate of the last block; None takes the configuration's.
        name: Name of the model; None takes the configuration's with `_segmenter`.
        input_tensor: Optional Keras tensor of images, `[B, H, W, 3]`, to build the model upon.

    Returns:
        A `PaleModel` from images `[B, H, W, 3]` to scores `[B, H, W, classes]`, float32. With
        `auxiliary=True` the output is a dict of such scores, `{"main", "auxiliary"}`.

    Raises:
        ValueError: If an argument is out of range, or the weights do not fit.
    """
    config = resolve_config(config)
    check_four_stages(config)
    if drop_path_rate is not None:
        config = dataclasses.replace(config, drop_path_rate=drop_path_rate)
    check_positive_int("classes", classes)
    check_positive_int("channels", channels)
    weights = check_weights_path(weights)
    image, inputs = image_input(input_shape, input_tensor)
    levels = pale_stages(image, config, include_preprocessing, output_norms)

    def scores(x, prefix=""):
        x = keras.layers.SpatialDropout2D(
            DROPOUT, data_format="channels_last", name=f"{prefix}dropout"
        )(x)
        x = keras.layers.Conv2D(
            classes,
            1,
            data_format="channels_last",
            kernel_initializer=SCORES_INITIALIZER.clone(),
            dtype="float32",
            name=f"{prefix}{names.PREDICTIONS}",
        )(x)
        x = ResizeLike(dtype="float32", name=f"{prefix}{names.LOGITS}")([x, image])
        return activate(x, classifier_activation, prefix)

    outputs = scores(upernet(levels, channels))
    if auxiliary:
        side = fully_convolutional(levels["P4"], max(1, channels // 2))
        outputs = {"main": outputs, "auxiliary": scores(side, names.AUXILIARY)}
    model = PaleModel(inputs, outputs, name=name or f"{config.name}_segmenter")
    if weights is not None:
        load_weights(model, weights)
    return model


def activate(logits, activation="softmax", prefix=""):
    """Class scores of logits: a layer, in float32, or none if the activation is None."""
    if activation is None:
        return logits
    layer = keras.layers.Activation(
        activation, dtype="float32", name=f"{prefix}{names.PROBABILITIES}"
    )
    return layer(logits)
