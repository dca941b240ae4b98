"""The stages of a network, the backbone model that gives their pyramid, and the pyramid of any
model that has a backbone."""

import dataclasses
import warnings

import keras
import numpy as np

from pale_tf import names
from pale_tf.checks import check_positive_int
from pale_tf.configs import resolve_config
from pale_tf.layers.blocks import State, apply_block
from pale_tf.layers.initializers import KERNEL_INITIALIZER
from pale_tf.layers.merging import OverlappingMerging
from pale_tf.layers.normalization import LayerNorm
from pale_tf.layers.patches import PatchEmbedding, PatchMerging
from pale_tf.layers.position import AbsolutePositionEncoding
from pale_tf.ranges import is_scaled
from pale_tf.weights import check_weights_path, load_weights

# ImageNet's mean and standard deviation per channel, of values in 0..255.
IMAGE_MEAN = np.array([0.485, 0.456, 0.406]) * 255.0
IMAGE_DEVIATION = np.array([0.229, 0.224, 0.225]) * 255.0


def pale_backbone(
    config,
    input_shape=(None, None, 3),
    include_preprocessing=True,
    weights=None,
    input_tensor=None,
    drop_path_rate=None,
    name=None,
    output_norms=False,
):
    """Builds the backbone: a model from images to a feature pyramid.

    Args:
        config: `"nano"`, `"tiny"`, `"small"`, `"base"`, a name in `pale_tf.configs.NETWORKS`, or a
            `PaleConfig`.
        input_shape: `(H, W, 3)`; H and W may be any size, or None for sizes known at run time.
        include_preprocessing: Whether the model normalizes its inputs with ImageNet's mean and
            deviation. Inputs are then floats in 0..255.
        weights: Path of a `.weights.h5` or `.keras` file of any model with this backbone, or None
            for random weights. What is not of the backbone is left out.
        input_tensor: Optional Keras tensor to build the model upon.
        drop_path_rate: Stochastic depth rate of the last block; None takes the configuration's.
        name: Name of the model; None takes the configuration's with `_backbone`.
        output_norms: Whether every level of the pyramid goes through a LayerNorm of its own, as
            Swin's do in front of dense heads.

    Returns:
        A `PaleModel` whose output is a dict, `{"P2", "P3", "P4", "P5"}`, of feature maps
        `[B, ceil(H/s), ceil(W/s), C·s/4]` at strides `s` = 4, 8, 16, 32. A network of three stages
        has no `P5`.

    Raises:
        ValueError: If an argument is out of range, or the weights do not fit.
    """
    config = resolve_config(config)
    if drop_path_rate is not None:
        config = dataclasses.replace(config, drop_path_rate=drop_path_rate)
    weights = check_weights_path(weights)
    image, inputs = image_input(input_shape, input_tensor)
    outputs = pale_stages(image, config, include_preprocessing, output_norms)
    model = PaleModel(inputs, outputs, name=name or f"{config.name}_backbone")
    if weights is not None:
        load_weights(model, weights)
    return model


@keras.saving.register_keras_serializable(package="pale_tf")
class PaleModel(keras.Model):
    """A functional model that has a backbone: it says where the pyramid of the stages is.

    KerasHub's tasks read `pyramid_outputs`, keras-cv's `pyramid_level_inputs`. A model that
    normalizes images in 0..255 itself warns if the first ones that it is given as arrays, by a call
    or by `predict`, are scaled to 0..1 or to -1..1.
    """

    _has_seen_values = False

    def call(self, inputs, training=None, mask=None, **kwargs):  # Keras reads these names
        self._check_range(inputs)
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def predict(self, x, *args, **kwargs):
        self._check_range(x)
        return super().predict(x, *args, **kwargs)

    def _check_range(self, images):
        """Warns of the first images that have values: those of a traced graph have none."""
        if self._has_seen_values or (values := _first_values(images)) is None:
            return
        self._has_seen_values = True
        normalizes = any(layer.name == names.PREPROCESSING for layer in self.layers)
        if normalizes and is_scaled(values):
            warnings.warn(
                f"{self.name} normalizes images in 0..255 itself, and got values in -1..1 only. "
                "Multiply images in 0..1 by 255, or build it with `include_preprocessing=False` "
                "for images that are normalized already.",
                stacklevel=3,
            )

    @property
    def pyramid_outputs(self):
        """Dict of the Keras tensors `"P2"` to `"P5"`."""
        return pyramid(self)

    @property
    def pyramid_level_inputs(self):
        """Dict of the names of the layers that give `"P2"` to `"P5"`."""
        return pyramid_layers(self)


def _first_values(images, count=32):
    """The first of a batch of images as a NumPy array; None if they have no values yet."""
    if isinstance(images, np.ndarray):
        return images[:count]
    if not keras.ops.is_tensor(images) or _is_traced(images):
        return None
    return keras.ops.convert_to_numpy(images[:count])


def _is_traced(tensor):
    """Whether a backend's tensor stands for values that a graph will have."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return not hasattr(tensor, "numpy")
    if backend == "jax":
        import jax

        return isinstance(tensor, jax.core.Tracer)
    if backend == "torch":
        # Keras traces with ones if an operation takes no tensors of the device `meta`.
        return tensor.is_meta or bool((tensor == 1).all())
    if backend == "openvino":
        return tensor.output.get_node().get_type_name() != "Constant"
    return False


def pyramid(model):
    """The pyramid inside a model.

    Args:
        model: A functional `keras.Model` that has a backbone, such as a classifier or what an old
            file holds.

    Returns:
        Dict of the Keras tensors `"P2"` to `"P5"`, `[B, ceil(H/s), ceil(W/s), C·s/4]` at strides
        `s` = 4, 8, 16, 32. Where outputs are normed, they are the normed ones.

    Raises:
        ValueError: If the model does not have all stages.
    """
    return {level: model.get_layer(name).output for level, name in pyramid_layers(model).items()}


def pyramid_layers(model):
    """Names of the layers that give `pyramid`, by level; arguments and errors are the same."""
    last = {}
    for layer in model.layers:  # a layer comes after all that it depends on
        stage = names.stage_of(layer.name)
        if stage is not None:
            last[names.level_of(stage)] = layer.name
    if set(last) not in (set(names.LEVELS), set(names.LEVELS[:3])):
        raise ValueError(
            "`model` must be functional and have the layers of the stages, stage1_… to stage4_…, "
            f"or to stage3_…. Received: {model.name!r}, which gives {sorted(last)}"
        )
    existing = {layer.name for layer in model.layers}
    norms = {level: names.output_norm(level) for level in names.LEVELS}
    return {level: norms[level] if norms[level] in existing else last[level] for level in last}


def pale_stages(image, config, include_preprocessing=True, output_norms=False):
    """Applies the stages of a network.

    Args:
        image: Keras tensor, `[B, H, W, 3]`.
        config: A `PaleConfig`.
        include_preprocessing, output_norms: As in `pale_backbone`.

    Returns:
        Dict of the Keras tensors `"P2"` to `"P5"`.
    """
    x = image
    if include_preprocessing:
        x = keras.layers.Normalization(
            mean=IMAGE_MEAN, variance=IMAGE_DEVIATION**2, name=names.PREPROCESSING
        )(x)
    rates = iter(drop_path_schedule(config.drop_path_rate, sum(config.depths)))
    levels = {}
    for stage, depth in enumerate(config.depths):
        x = _merging(config, stage)(x)
        if stage == 0 and config.position == "absolute":
            x = AbsolutePositionEncoding(name="stage1_position")(x)
        state = State(x)
        for block in range(depth):
            state = apply_block(state, config, stage, block, next(rates))
        x = state.map
        levels[names.level_of(stage + 1)] = x
    if output_norms:
        return {k: LayerNorm(name=names.output_norm(k))(level) for k, level in levels.items()}
    return levels


def _merging(config, stage):
    """The layer that opens a stage."""
    filters, name = config.stage_dims[stage], names.merging(stage + 1)
    if config.merging == "overlapping":
        kernel_size, strides = (7, 4) if stage == 0 else (3, 2)
        return OverlappingMerging(filters, kernel_size, strides, name=name)
    if stage == 0:
        return PatchEmbedding(filters, name=name)
    return PatchMerging(filters, kernel_initializer=KERNEL_INITIALIZER.clone(), name=name)


def drop_path_schedule(rate, depth):
    """Rates of `depth` blocks, rising linearly from 0 to `rate` (Huang et al. 2016)."""
    return [float(value) for value in np.linspace(0.0, rate, depth)]


def image_input(input_shape, input_tensor=None):
    """Makes or checks the image input of a model.

    Args:
        input_shape: `(H, W, 3)`, H and W positive or None.
        input_tensor: Keras tensor to use instead of a new input; its shape must be `(B, H, W, 3)`.

    Returns:
        The Keras tensor of images, and the model's inputs.

    Raises:
        ValueError: If the shape is none of the above.
    """
    if input_tensor is not None:
        if not isinstance(input_tensor, keras.KerasTensor):
            raise ValueError(
                "`input_tensor` must be a Keras tensor, such as `keras.Input` gives. "
                f"Received: {type(input_tensor)}"
            )
        _check_image_shape("input_tensor", tuple(input_tensor.shape[1:]))
        inputs = keras.utils.get_source_inputs(input_tensor)
        return input_tensor, inputs[0] if len(inputs) == 1 else inputs
    _check_image_shape("input_shape", input_shape)
    image = keras.Input(tuple(input_shape), name="image")
    return image, image


def _check_image_shape(argument, shape):
    """Raises a `ValueError` that names `argument` unless `shape` is `(H, W, 3)`."""
    expected = f"`{argument}` must be an image of shape (height, width, 3)"
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"{expected}: three dimensions, without the batch. Received: {shape}")
    if shape[2] != 3:
        raise ValueError(f"{expected}: three channels, last. Received: {tuple(shape)}")
    for size in shape:
        if size is not None:
            check_positive_int(argument, size)
