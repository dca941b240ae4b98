"""Networks with UPerNet as they are published."""

import pytest

from benchmarks.segmenters import make_segmenter


@pytest.mark.parametrize(("network", "norms"), [("pale_n", 0), ("swin_t", 4)])
def test_swin_norms_its_levels(network, norms):
    model = make_segmenter(network, 64, 96)
    assert model.output_shape == (None, 64, 96, 150)
    assert len([layer for layer in model.layers if layer.name.startswith("norm_P")]) == norms


def test_there_is_an_auxiliary_head_on_request():
    model = make_segmenter("pale_n", 64, 96, auxiliary=True)
    assert model.output["auxiliary"].shape == (None, 64, 96, 150)
