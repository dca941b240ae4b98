"""Mask R-CNN in parts, each a function of what the parts before it have given.

Weights are random. The threshold of scores is 0, so that suppression looks at 1,000 boxes, and as
many masks are found as there may be: as in an image full of objects.
"""

import keras
import tensorflow as tf

from benchmarks import pale
from benchmarks.artifacts import images_of
from benchmarks.detectors import make_detector

WHOLE = "whole network"


def make_parts(network, size, masks=100):
    """Makes the parts of a detector, and the whole one, on one image.

    Args:
        network: Name in `pale_tf.configs.NETWORKS`.
        size: Height and width of the image, in pixels.
        masks: Boxes and masks that are found.

    Returns:
        Dict of functions without arguments, by name, in the order in which a detector runs them.
    """
    keras.utils.set_random_seed(0)
    detector = make_detector(network, size, size, score_threshold=0.0, max_detections=masks)
    pale.disturb(detector)
    parts, image = parts_of(detector), tf.constant(images_of(1, size))
    stored = keras.Model(detector.inputs, [inputs for inputs, _ in parts.values()])(image)
    runners = {
        name: compiled(keras.Model(inputs, outputs), values)
        for (name, (inputs, outputs)), values in zip(parts.items(), stored, strict=True)
    }
    return {**runners, WHOLE: compiled(detector, image)}


def parts_of(detector):
    """Inputs and outputs, structures of Keras tensors, of the parts of a `pale_detector`."""
    layer = detector.get_layer
    levels = list(detector.pyramid_outputs.values())
    sizes, *scored = layer("proposals").input
    rois, *fine = layer("box_align").input
    aligned, scores = layer("box_align").output, layer("box_head").output
    found = layer("detections").output
    aligned_masks, logits = layer("mask_align").output, layer("mask_head").output
    return {
        "backbone": (detector.inputs, levels),
        "neck": (levels, [*fine, layer("fpn_P6").output]),
        "RPN: convolutions": ([*fine, layer("fpn_P6").output], scored),
        "RPN: proposals": ([sizes, *scored], rois),
        "RoI heads: box align": ([rois, *fine], aligned),
        "RoI heads: boxes": (aligned, scores),
        "post-processing: detections": ([sizes, rois, *scores], found),
        "RoI heads: mask align": (layer("mask_align").input, aligned_masks),
        "RoI heads: masks": (aligned_masks, logits),
        "post-processing: masks of classes": (layer("masks").input, layer("masks").output),
    }


def compiled(model, values):
    """A function that runs a model on some values."""
    function = tf.function(lambda inputs: model(inputs, training=False))
    return lambda: [output.numpy() for output in tf.nest.flatten(function(values))]
