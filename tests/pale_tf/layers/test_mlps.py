"""The registry of MLPs."""

import numpy as np
import pytest

from pale_tf.layers.mlps import MLPS, check_mlp


@pytest.mark.parametrize("name", MLPS)
def test_every_name_makes_a_layer_that_keeps_the_shape(name):
    check_mlp(name)
    layer = MLPS[name](2, name="x")
    assert layer(np.ones((2, 5, 3, 8), "float32")).shape == (2, 5, 3, 8)


def test_another_name_is_refused():
    with pytest.raises(ValueError, match=r"`mlp` must be one of .* Received: None"):
        check_mlp(None)
