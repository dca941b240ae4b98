"""Peers of Pale-T."""

import json

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.paths import RESULTS
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


@pytest.mark.slow
def test_upernet_has_as_many_parameters_as_ours():
    """pip install -e ".[peers]"."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    counts = json.loads((RESULTS / "complexity_segment.json").read_text())["networks"]
    (swin,) = [row["params"] for row in counts if row["network"] == "swin_t"]
    parameters = dict(peers.upernet().named_parameters())
    unused = [name for name in parameters if name.startswith("backbone.swin.layernorm.")]
    assert len(unused) == 2  # the norm in front of a classifier
    counted = sum(value.numel() for name, value in parameters.items() if name not in unused)
    assert counted == swin["total"] - swin["auxiliary"]


@pytest.mark.slow
def test_onnx_runtime_gives_the_numbers_of_pytorch():
    """pip install -e ".[peers]"."""
    for package in ("transformers", "onnx", "onnxruntime"):
        pytest.importorskip(package)
    torch = pytest.importorskip("torch")
    found = peers.swin_onnx()(2)
    model = peers.swin_t().eval()  # the same weights, for it sets the seed
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        np.testing.assert_allclose(found, model(pixel_values=images).logits, atol=1e-4)
