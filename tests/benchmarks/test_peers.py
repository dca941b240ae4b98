"""Peers of Pale-T."""

import numpy as np
import pytest

from benchmarks import peers
from tests.conftest import needs_bfloat16


def test_the_product_rate_counts_multiplications_and_additions():
    assert peers.FLOPS == 2 * 2048**3


@pytest.mark.parametrize(
    ("dtype", "error"), [("float32", 0.01), pytest.param("bfloat16", 1.0, marks=needs_bfloat16)]
)
def test_the_product_is_one(dtype, error):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2048, 2048)) for _ in range(2))
    product = float(peers.matrix_product()(dtype))
    assert product == pytest.approx(a[0] @ b[:, 0], abs=error)
