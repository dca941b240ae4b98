"""A cascade of image sizes: small ones for easy images, larger ones for those that are not.

After Dynamic Vision Transformer (Wang et al. 2021, DVT), whose networks see an image as more and
more tokens until they are sure of its class. Here, tokens become more as the image grows: a network
of this package takes any size with the same weights. Nothing is reused from size to size.
"""

import numbers

import keras
import numpy as np
from keras import ops

from pale_tf.checks import check_positive_int


def cascade(network, sizes, threshold):
    """Classifies images at growing sizes, each until the network is sure.

    Args:
        network: A classifier of this package, which ends in probabilities, for all sizes; or a list
            of one for each size.
        sizes: Heights and widths of the images, in pixels, the smallest first.
        threshold: Probability of the best class from which on an image is done. Above 1, every
            image is seen at the last size, and gets what the network alone would give it.

    Returns:
        A function of images, NumPy `[B, S, S, 3]`, values as the network takes them, to their
        probabilities, float32 `[B, classes]`, and the index of the size that gave them, int `[B]`.
        Images of other sizes than the network's are scaled with antialiasing.

    Raises:
        ValueError: If the sizes are not a list or tuple that grows, the threshold is not a number,
            0 or more, or the networks are not one or as many.
    """
    check_sizes(sizes)
    if not isinstance(threshold, numbers.Real) or not threshold >= 0:
        raise ValueError(f"`threshold` must be a number, 0 or more. Received: {threshold!r}")
    networks = network if isinstance(network, list | tuple) else [network] * len(sizes)
    if len(networks) != len(sizes):
        raise ValueError(
            f"`network` must be one, or a list of {len(sizes)}, one for each size. "
            f"Received: {len(networks)}"
        )
    networks = [at_size(each, size) for each, size in zip(networks, sizes, strict=True)]

    def classify(images):
        left, stages = np.arange(len(images)), np.zeros(len(images), int)
        probabilities = np.zeros((len(images), networks[0].output_shape[-1]), "float32")
        for stage, (network, size) in enumerate(zip(networks, sizes, strict=True)):
            if left.size:
                found = network(scaled(images[left], size), training=False)
                probabilities[left], stages[left] = ops.convert_to_numpy(found), stage
                left = left[probabilities[left].max(axis=1) < threshold]
        return probabilities, stages

    return classify


def stages_of(confidences, threshold):
    """Finds the size at which each image stops.

    Args:
        confidences: Probability of the best class, `[sizes, B]`.
        threshold: As in `cascade`.

    Returns:
        Index of the size, int `[B]`.
    """
    sure = np.array(confidences) >= threshold
    sure[-1] = True
    return sure.argmax(axis=0)


def at_size(network, size):
    """The same network, with the same weights, for images of another size.

    Args:
        network: A functional `keras.Model` of this package.
        size: Height and width, in pixels.

    Returns:
        A `keras.Model`; the network itself if its images have that size.
    """
    if network.input_shape[1:3] == (size, size):
        return network
    other = keras.models.clone_model(network, keras.Input((size, size, 3)))
    other.set_weights(network.get_weights())
    return other


def scaled(images, size):
    """Scales images `[B, H, W, 3]` to `[B, size, size, 3]`, bilinear with antialiasing."""
    if tuple(images.shape[1:3]) == (size, size):
        return images
    return ops.image.resize(images, (size, size), antialias=True, data_format="channels_last")


def check_sizes(sizes):
    """Raises a `ValueError` unless there are sizes, and they grow."""
    if not isinstance(sizes, list | tuple) or not sizes:
        raise ValueError(f"`sizes` must be a list of one size at least. Received: {sizes!r}")
    for size in sizes:
        check_positive_int("sizes", size)
    if list(sizes) != sorted(set(sizes)):
        raise ValueError(f"`sizes` must grow, the smallest first. Received: {sizes}")
