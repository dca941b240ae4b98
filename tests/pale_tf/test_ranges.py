"""Images in 0..1 are told from those in 0..255."""

import numpy as np
import pytest

from pale_tf.ranges import is_scaled


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (np.random.default_rng(0).random((2, 4, 4, 3)), True),
        (np.linspace(-1, 1, 9, dtype="float32"), True),
        (np.ones((4, 4, 3), "uint8"), True),
        (np.linspace(0, 255, 9), False),
        (np.linspace(-2, 2, 9), False),  # normalized
        (np.zeros((4, 4, 3), "uint8"), False),  # a black image
        (np.zeros((0, 4, 4, 3)), False),
        (np.full((2, 2), np.nan), False),
    ],
)
def test_is_scaled(images, expected):
    assert is_scaled(images) is expected
