"""The two forms of attention that are timed on a GPU."""

import numpy as np
import pytest

from benchmarks import gpu_attention


@pytest.mark.parametrize("stage", range(4))
def test_both_attentions_on_a_gpu_are_the_same(stage):
    inputs = gpu_attention.make_inputs(1, "float32", stage)
    assert inputs[0].shape[1:] == [(392, 8, 32), (196, 8, 32), (98, 8, 32), (49, 8, 32)][stage]
    np.testing.assert_allclose(
        gpu_attention.fused(*inputs), gpu_attention.written(*inputs), atol=1e-5
    )
