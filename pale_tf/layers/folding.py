"""How a layer folds itself for the inference form: the protocol that `pale_tf.fuse` speaks."""

import keras
import numpy as np

SCALE, AFFINE = "scale", "affine"


class Foldable:
    """Base of layers that know their inference form. By default, it is the layer as it is.

    Attributes:
        absorbs: Affine part of what comes before that the layer can take, exactly: `None`,
            `"scale"` or, with a shift, `"affine"`. A subclass takes nothing unless it says so
            itself, for it may read its inputs in other ways than its base.
    """

    absorbs = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.absorbs = vars(cls).get("absorbs")

    def fused_config(self):
        """Configuration of the inference form; None if nothing is left of the layer."""
        return self.get_config()

    def fused_weights(self, scale=None, shift=None):
        """Weights of the inference form.

        Not called where the layer stays as it is, and takes nothing in: all weights are copied.

        Args:
            scale: Factor of each input channel to take in, float64 `[C]`, or None. It is given to
                layers that absorb it, and only to them.
            shift: Summand of each input channel, float64 `[C]`, or None; after the scale.

        Returns:
            Dict of float64 arrays by their paths inside the layer: `query/pointwise/kernel`. To
            begin from all own weights keeps what a subclass adds.
        """
        return own_weights(self)


def own_weights(layer):
    """Copies of all weights of a layer, float64, by their paths inside it."""
    return {path_inside(layer, weight): to_float64(weight) for weight in layer.weights}


def to_float64(weight):
    """A copy of a variable of any backend as a float64 array."""
    # Not `np.array`: variables of OpenVINO do not take a dtype.
    return np.array(keras.ops.convert_to_numpy(weight), "float64")


def path_inside(layer, weight):
    """Path of a weight inside a layer, whatever holds the layer."""
    return f"/{weight.path}".split(f"/{layer.name}/", 1)[-1]


def assign_weights(layer, values):
    """Gives a layer the weights that another one computed for it.

    Args:
        layer: A built layer.
        values: Dict of arrays by their paths inside the layer.

    Raises:
        ValueError: If they are not those of the layer.
    """
    weights = {path_inside(layer, weight): weight for weight in layer.weights}
    missing, left = sorted(weights.keys() - values.keys()), sorted(values.keys() - weights.keys())
    if missing or left or len(weights) < len(layer.weights):
        raise ValueError(
            "`model` must have layers whose `fused_weights` or `pruned_weights` are the weights of "
            f"what replaces them. Received: {layer.name} ({type(layer).__name__}), which gives "
            f"none for {missing} and has no place for {left}"
        )
    for path, weight in weights.items():
        weight.assign(values[path].astype("float32"))


def pop_batch_norm(weights, name, epsilon):
    """Takes a BatchNorm with moving statistics out of weights.

    Args:
        weights: Weights by path, from which it removes those of `name`.
        name: Path of the norm, with a slash after it.
        epsilon: The norm's.

    Returns:
        Factor and summand of each channel, float64 `[C]` each.
    """
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    gamma, beta, mean, variance = (weights.pop(f"{name}{part}") for part in names)
    factor = gamma / np.sqrt(variance + epsilon)
    return factor, beta - mean * factor


def fold_affine(weights, name, scale, shift=None):
    """Lets a point-wise layer or a convolution take in what scales, and shifts, its input.

    Args:
        weights: Weights by path, of which it changes those of `name`.
        name: Path of the layer, with a slash after it, or `""`. Its kernel is `[…, C, D]`.
        scale: `[C]`.
        shift: `[C]`, or None. Only a point-wise layer can take one.
    """
    kernel, bias = f"{name}kernel", f"{name}bias"
    if shift is not None:
        weights[bias] = shift @ weights[kernel] + weights[bias]
    weights[kernel] = scale[:, None] * weights[kernel]
