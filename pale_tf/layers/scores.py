"""Learned scores of the units of a layer, by which they are pruned (Zhu et al. 2021, VTP)."""

import math
import numbers

import keras

SCORES = "scores"  # the name of the weight


def add_scores(layer, units, sparsity):
    """Gives a layer a score for each unit, 1 at first, whose L1 norm is part of its loss.

    Args:
        layer: A `keras.Layer` that is being built.
        units: Number of units.
        sparsity: Weight of the L1 norm in the loss.

    Returns:
        The weight, `[units]`.
    """
    return layer.add_weight(
        shape=(units,), initializer="ones", regularizer=keras.regularizers.L1(sparsity), name=SCORES
    )


def check_sparsity(sparsity):
    """Raises a `ValueError` unless `sparsity` is 0 or a positive, finite weight."""
    if not isinstance(sparsity, numbers.Real) or not 0.0 <= sparsity < math.inf:
        raise ValueError(f"`sparsity` must be 0 or positive, finite. Received: {sparsity!r}")
