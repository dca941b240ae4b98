"""Images whose values are in the wrong range: the commonest mistake of all."""

import numpy as np

SCALED = "no value is above 1, where 0..255 is expected"


def is_scaled(images):
    """Whether images were scaled to 0..1 or to -1..1, where 0..255 is expected.

    Args:
        images: Array of any shape, or what NumPy makes one of.

    Returns:
        True if no value is beyond 1, but for rounding, and not all are 0.
    """
    largest = np.abs(np.asarray(images)).max(initial=0)
    return bool(0 < largest <= 1.001)
