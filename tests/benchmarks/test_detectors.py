"""Networks with Mask R-CNN as they are published."""

import pytest

from benchmarks.detectors import make_detector


@pytest.mark.parametrize(("network", "norms"), [("pale_n", 0), ("swin_t", 4)])
def test_swin_norms_its_levels(network, norms):
    model = make_detector(network, 64, 96)
    assert model.output["masks"].shape == (None, 100, 28, 28)
    assert model.get_layer("proposals").output.shape == (None, 1000, 4)
    assert len([layer for layer in model.layers if layer.name.startswith("norm_P")]) == norms
