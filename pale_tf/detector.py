"""Detection and instance segmentation: Mask R-CNN on a backbone of this project."""

import dataclasses

import keras
from keras import ops

from pale_tf import names
from pale_tf.backbone import IMAGE_MEAN, PaleModel, image_input, pale_stages
from pale_tf.checks import check_positive_int, check_share
from pale_tf.configs import check_four_stages, resolve_config
from pale_tf.decoders import masks as mask_decoder
from pale_tf.decoders import roi
from pale_tf.decoders.fpn import feature_pyramid
from pale_tf.decoders.roi_align import RoIAlign
from pale_tf.decoders.rpn import Proposals, region_proposal_head
from pale_tf.weights import check_weights_path, load_weights

STRIDE = 32  # whose multiple an image is padded to, so that each level is half of the one before


def pale_detector(
    config,
    classes,
    input_shape=(None, None, 3),
    include_preprocessing=True,
    weights=None,
    channels=256,
    masks=True,
    score_threshold=0.05,
    nms_threshold=0.5,
    max_detections=100,
    output_norms=False,
    drop_path_rate=None,
    name=None,
):
    """Builds Mask R-CNN on a backbone: a model from images to boxes, classes and masks of objects.

    References: [Mask R-CNN](https://arxiv.org/abs/1703.06870), He et al., ICCV 2017; [Feature
    Pyramid Networks](https://arxiv.org/abs/1612.03144), Lin et al., CVPR 2017; [Faster R-CNN](
    https://arxiv.org/abs/1506.01497), Ren et al., NeurIPS 2015; with a Pale Transformer: Wu et al.
    2022. There are no pre-trained weights.

    The graph is mmdetection's, with two differences, which keep shapes known: RoIAlign takes 2×2
    samples of each bin, where mmdetection takes more of them in larger boxes; and suppression looks
    at the best 1,000 boxes of an image, over all classes.

    Args:
        config: `"nano"`, `"tiny"`, `"small"`, `"base"`, a name in `pale_tf.configs.NETWORKS`, or a
            `PaleConfig`.
        classes: Number of classes, without the background.
        input_shape: `(H, W, 3)`; H and W may be any size, or None for sizes known at run time.
        include_preprocessing: Whether the model normalizes its inputs with ImageNet's mean and
            deviation. Inputs are then floats in 0..255; otherwise they come normalized.
        weights: Path of a `.weights.h5` or `.keras` file of the same detector, or of any model with
            this backbone, or None for random weights. What does not fit outside the backbone stays
            random, and a warning says so.
        channels: Channels of the pyramid and of the heads; the hidden layers of the box head have
            four times as many units. 256 in the paper; small networks for small images need fewer.
        masks: Whether there is a mask head. Without it, the model is Faster R-CNN.
        score_threshold: Probability of its class that a box must exceed, in 0..1.
        nms_threshold: Largest intersection over union of two boxes of one class, in 0..1.
        max_detections: Boxes of an image at most, `N`.
        output_norms: Whether every level of the pyramid goes through a LayerNorm of its own, as
            Swin's do in front of dense heads.
        drop_path_rate: Stochastic depth rate of the last block; None takes the configuration's.
        name: Name of the model; None takes the configuration's with `_detector`.

    Returns:
        A `PaleModel` from images `[B, H, W, 3]` to a dict. Boxes come best first, and all is 0
        after the first `count`. Boxes and scores are computed in float32 under every dtype policy.

        - `boxes`: float32 `[B, N, 4]`, `(x1, y1, x2, y2)` in pixels of the image, within it: 0 is
          the left or upper edge of the first pixel, W or H the right or lower edge of the last one.
        - `scores`: float32 `[B, N]`, probabilities in 0..1.
        - `classes`: int32 `[B, N]`, in 0..classes - 1.
        - `count`: int32 `[B]`, in 0..N.
        - `masks`: float32 `[B, N, 28, 28]`, probabilities in 0..1 on a grid that divides the box.

    Raises:
        ValueError: If an argument is out of range, or the weights do not fit.
    """
    config = resolve_config(config)
    check_four_stages(config)
    if drop_path_rate is not None:
        config = dataclasses.replace(config, drop_path_rate=drop_path_rate)
    check_positive_int("classes", classes)
    check_positive_int("channels", channels)
    check_positive_int("max_detections", max_detections)
    check_share("score_threshold", score_threshold)
    check_share("nms_threshold", nms_threshold)
    weights = check_weights_path(weights)
    image, inputs = image_input(input_shape)
    fill = IMAGE_MEAN.tolist() if include_preprocessing else (0.0, 0.0, 0.0)
    padded = PadToStride(fill, name="padding")(image)
    levels = pale_stages(padded, config, include_preprocessing, output_norms)
    pyramid = feature_pyramid(levels, channels)
    objectness, differences = region_proposal_head(pyramid, channels)
    sizes = ImageSizes(name="image_sizes")(image)
    rois = Proposals(name=names.PROPOSALS)(
        [sizes, list(objectness.values()), list(differences.values())]
    )
    fine = [pyramid[level] for level in ("P2", "P3", "P4", "P5")]
    aligned = RoIAlign(roi.BINS, name=names.BOX_ALIGN)([rois, *fine])
    logits, differences = roi.BoxHead(classes, 4 * channels, name=names.BOX_HEAD)(aligned)
    outputs = roi.Detections(max_detections, score_threshold, nms_threshold, name=names.DETECTIONS)(
        [sizes, rois, logits, differences]
    )
    if masks:
        aligned = RoIAlign(mask_decoder.BINS, name="mask_align")([outputs["boxes"], *fine])
        mask_logits = mask_decoder.MaskHead(classes, name=names.MASK_HEAD)(aligned)
        found = mask_decoder.MaskOfClass(name="masks")(
            [mask_logits, outputs["classes"], outputs["scores"]]
        )
        outputs = {**outputs, "masks": found}
    model = PaleModel(inputs, outputs, name=name or f"{config.name}_detector")
    if weights is not None:
        load_weights(model, weights)
    return model


@keras.saving.register_keras_serializable(package="pale_tf")
class PadToStride(keras.layers.Layer):
    """Appends pixels below and on the right until `STRIDE` divides both sides; no op if it does.

    Args:
        fill: Color of these pixels, three numbers.
    """

    def __init__(self, fill, **kwargs):
        super().__init__(**kwargs)
        self.fill = tuple(fill)

    def call(self, images):
        _, height, width, _ = ops.shape(images)
        below, right = -height % STRIDE, -width % STRIDE
        if isinstance(below, int) and isinstance(right, int) and below == right == 0:
            return images
        widths = ((0, 0), (0, below), (0, right), (0, 0))
        padding = ops.pad(ops.zeros_like(images[..., :1]), widths, constant_values=1.0)
        fill = ops.convert_to_tensor(self.fill, dtype=images.dtype)
        return ops.pad(images, widths) + padding * fill

    def compute_output_shape(self, input_shape):
        sides = [side and side + -side % STRIDE for side in input_shape[1:3]]
        return (input_shape[0], *sides, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "fill": self.fill}


@keras.saving.register_keras_serializable(package="pale_tf")
class ImageSizes(keras.layers.Layer):
    """Height and width of images: float32 `[B, 2]` of `[B, H, W, C]`."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, images):
        _, height, width, _ = ops.shape(images)
        sides = ops.stack([ops.cast(height, "float32"), ops.cast(width, "float32")])
        return ops.zeros_like(images[:, 0, 0, :1], dtype="float32") + ops.expand_dims(sides, 0)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)
