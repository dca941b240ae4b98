"""Peers of Pale-T."""

import numpy as np
import pytest

from benchmarks import peers


def test_the_product_rate_counts_multiplications_and_additions():
    assert peers.FLOPS == 2 * 2048**3
    multiply = peers.matrix_product()
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2048, 2048)) for _ in range(2))
    assert multiply("float32") == pytest.approx(a[0] @ b[:, 0], rel=1e-4)
    assert float(multiply("bfloat16")) == pytest.approx(a[0] @ b[:, 0], abs=1.0)
