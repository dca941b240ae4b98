"""PaleT, PaleS and PaleB of the paper, and PaleN of ours, in the manner of `keras.applications`."""

import dataclasses

import keras

from pale_tf import names
from pale_tf.backbone import PaleModel, image_input, pale_stages
from pale_tf.checks import check_positive_int
from pale_tf.configs import NETWORKS, resolve_config
from pale_tf.layers.initializers import KERNEL_INITIALIZER
from pale_tf.layers.normalization import LayerNorm
from pale_tf.weights import check_weights_path, load_weights


def PaleT(  # noqa: N802
    include_top=True,
    include_preprocessing=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    drop_path_rate=NETWORKS["pale_t"].drop_path_rate,
    name="pale_t",
    attention="pale",
):
    return pale_network(**locals(), config="pale_t")


def PaleS(  # noqa: N802
    include_top=True,
    include_preprocessing=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    drop_path_rate=NETWORKS["pale_s"].drop_path_rate,
    name="pale_s",
    attention="pale",
):
    return pale_network(**locals(), config="pale_s")


def PaleB(  # noqa: N802
    include_top=True,
    include_preprocessing=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    drop_path_rate=NETWORKS["pale_b"].drop_path_rate,
    name="pale_b",
    attention="pale",
):
    return pale_network(**locals(), config="pale_b")


def PaleN(  # noqa: N802
    include_top=True,
    include_preprocessing=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    drop_path_rate=NETWORKS["pale_n"].drop_path_rate,
    name="pale_n",
    attention="pale",
):
    return pale_network(**locals(), config="pale_n")


_DOCSTRING = """Builds {title}.

Reference: [Pale Transformer: A General Vision Transformer Backbone with Pale-Shaped Attention](
https://arxiv.org/abs/2112.14000), AAAI 2022. {source} There are no pre-trained weights.

Args:
    include_top: Whether to end in a classifier.
    include_preprocessing: Whether the model normalizes its inputs with ImageNet's mean and
        deviation. Inputs are then floats in 0..255; otherwise they come normalized.
    weights: Path of a `.weights.h5` or `.keras` file of any model with this backbone, or None for
        random weights. Where the head differs, as with another number of classes, it stays random,
        and a warning says so.
    input_tensor: Optional Keras tensor of images, `[B, H, W, 3]`, to build the model upon.
    input_shape: `(H, W, 3)`. H and W may be any size, and None for sizes known at run time.
        Defaults to `(224, 224, 3)` with the classifier, else to `(None, None, 3)`.
    pooling: End of a model without a classifier: None for the last feature map
        `[B, ceil(H/32), ceil(W/32), {channels}]`, `"avg"` or `"max"` for `[B, {channels}]`.
    classes: Number of classes of the classifier.
    classifier_activation: Activation of the classifier; None for logits. Runs in float32.
    drop_path_rate: Stochastic depth rate of the last block, in `[0, 1)`; it rises linearly from 0.
    name: Name of the model.
    attention: Name of the attention of all blocks, or one for each stage: see
        `pale_tf.layers.attention.ATTENTIONS`. What else makes a network, such as CSWin's or Swin's,
        is set in a `PaleConfig` and built by `pale_network`.

Returns:
    A `PaleModel`, which is a functional `keras.Model`. Its layers are named as the paper speaks of
    them, such as `stage3_block2_attention`; `pale_tf.names` has the list.

Raises:
    ValueError: If an argument is out of range, or the weights are not those of this variant.
"""


def _document(build, title, source, name):
    channels = NETWORKS[name].stage_dims[-1]
    build.__doc__ = _DOCSTRING.format(title=title, source=source, channels=channels)


_document(PaleT, "Pale-T", "22M parameters, 4.2 GMACs at 224x224.", "pale_t")
_document(PaleS, "Pale-S", "48M parameters, 9.0 GMACs at 224x224.", "pale_s")
_document(PaleB, "Pale-B", "85M parameters, 15.6 GMACs at 224x224.", "pale_b")
_document(
    PaleN,
    "Pale-N, a nano Pale Transformer",
    "Pale-N is this project's, not the paper's: a small network for small images.",
    "pale_n",
)


def pale_network(
    config,
    include_top=True,
    include_preprocessing=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    drop_path_rate=None,
    name=None,
    attention=None,
):
    """Builds the network of any configuration.

    Args:
        config: `"nano"`, `"tiny"`, `"small"`, `"base"`, a name in `pale_tf.configs.NETWORKS`, or a
            `PaleConfig`.
        drop_path_rate, name, attention: As in `PaleT`; None takes the configuration's.

    The other arguments, the result and the errors are those of `PaleT`.
    """
    _check_head(pooling, classes)
    changes = {"drop_path_rate": drop_path_rate, "attention": attention}
    changes = {field: value for field, value in changes.items() if value is not None}
    config = dataclasses.replace(resolve_config(config), **changes)
    weights = check_weights_path(weights)
    if input_shape is None:
        input_shape = (224, 224, 3) if include_top else (None, None, 3)
    image, inputs = image_input(input_shape, input_tensor)
    *_, x = pale_stages(image, config, include_preprocessing).values()
    x = LayerNorm(name="norm")(x)
    if include_top or pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D("channels_last", name="avg_pool")(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling2D("channels_last", name="max_pool")(x)
    if include_top:
        # float32 under mixed precision too: softmax and losses need the range.
        x = keras.layers.Dense(
            classes,
            activation=classifier_activation,
            kernel_initializer=KERNEL_INITIALIZER.clone(),
            dtype="float32",
            name=names.PREDICTIONS,
        )(x)
    model = PaleModel(inputs, x, name=name or config.name)
    if weights is not None:
        load_weights(model, weights)
    return model


def _check_head(pooling, classes):
    """Raises a `ValueError` for a pooling or a number of classes that there is not."""
    if pooling not in (None, "avg", "max"):
        raise ValueError(f'`pooling` must be None, "avg" or "max". Received: {pooling!r}')
    check_positive_int("classes", classes)
