"""How far an artifact's numbers are from the network's, and how far they may be.

The task says which arrays are compared, and by which figures: see `export.tasks`.
"""

import keras
import numpy as np

from common.errors import ProgramError
from export.network import pyramid

# Bounds by precision, of a task without its own. `error`: the largest difference, in parts of the
# output's largest number. `noise`: the root mean square difference over the output's deviation.
BOUNDS = {
    "float32": {"error": 1e-4},
    "float16": {"noise": 0.01},
    "bfloat16": {"noise": 0.1},
    "dynamic": {"noise": 0.1},
    "int8": {"noise": 0.1},
}
FORMATS = {"error": ".1e", "noise": ".1e"}

TINY = 1e-12  # of outputs that are all equal


def evaluate(network, tensors, images):
    """Values of some tensors of a network, and of its pyramid if it has one.

    Args:
        network: A functional `keras.Model` of one image input.
        tensors: Dict of its tensors.
        images: float32 `[N, H, W, 3]`.

    Returns:
        Dict of arrays.
    """
    model = keras.Model(network.inputs[0], tensors | pyramid(network))
    return model.predict(images, verbose=0, batch_size=8)


def compare(found, expected):
    """Compares arrays with those of a network.

    Args:
        found: Dict of arrays `[N, …]`.
        expected: Dict that has them all, for the same images.

    Returns:
        Dict of `error` and `noise`, see `BOUNDS`, each the largest of any array.

    Raises:
        ProgramError: If an array is not an output of the network.
    """
    error = largest_error(found, expected)
    noises = [
        np.sqrt(np.mean((value.astype("float64") - expected[name]) ** 2))
        / max(expected[name].std(), TINY)
        for name, value in found.items()
    ]
    return {"error": error, "noise": float(np.max(noises))}


def largest_error(found, expected, absolute=()):
    """The largest difference of any number, in parts of the largest number of its array.

    Args:
        found: Dict of arrays `[N, …]`.
        expected: Dict that has them all, for the same images.
        absolute: Names of arrays whose differences count as they are.

    Raises:
        ProgramError: If an array is not an output of the network.
    """
    check_shapes(found, expected)
    errors = []
    for name, value in found.items():
        unit = 1.0 if name in absolute else max(abs(expected[name]).max(), TINY)
        errors.append(abs(value - expected[name]).max() / unit)
    return float(np.max(errors))


def check_shapes(found, expected):
    """Raises a `ProgramError` unless `expected` has all arrays of `found`, in the same shapes."""
    for name, value in found.items():
        if name not in expected or expected[name].shape != value.shape:
            raise ProgramError(
                f"the network in RUN has no output like the artifact's {name} {list(value.shape)}"
            )


def missed_bounds(figures, task, precision):
    """The bounds of a task and a precision that figures miss, one text each."""
    missed = []
    for name, bound in task.bounds[precision].items():
        value = figures.get(name)
        if value is None:
            continue
        if not (value >= bound if name in task.higher_is_better else value <= bound):
            missed.append(f"{name} is {value:.3g}, the bound of {precision} is {bound:g}")
    return missed
