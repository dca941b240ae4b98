"""The initializer of point-wise kernels."""

import numpy as np

from pale_tf import PaleN
from pale_tf.layers.initializers import KERNEL_INITIALIZER


def test_is_normal_of_deviation_002_cut_at_two_deviations_and_each_kernel_has_its_own():
    values = np.asarray(KERNEL_INITIALIZER.clone()((200, 300)))
    assert abs(values).max() <= 0.04
    # Normal numbers cut at two deviations deviate by 0.8796 of one.
    np.testing.assert_allclose(values.std(), 0.02 * 0.8796, rtol=0.02)
    model = PaleN(input_shape=(32, 32, 3))
    kernels = [model.get_layer(f"stage3_block{block}_mlp").expand.kernel for block in (1, 2)]
    assert not np.allclose(*kernels)
