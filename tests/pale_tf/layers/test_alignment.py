"""Inter-scale alignment against its definition."""

import numpy as np

from pale_tf.layers.alignment import InterScaleAlignment
from tests.pale_tf.attention_oracle import dense
from tests.pale_tf.layers.checks import randomize
from tests.pale_tf.layers.test_bridge import attention


def test_each_map_attends_to_the_other():
    layer = InterScaleAlignment(2)
    layer.build([(None, 4, 6, 8), (None, 2, 3, 8)])
    randomize(layer, seed=0)
    rng = np.random.default_rng(1)
    maps = [rng.normal(size=(2, 4, 6, 8)), rng.normal(size=(2, 2, 3, 8))]
    found = layer([x.astype("float32") for x in maps])
    for index, (own, other) in enumerate((("local", "global"), ("global", "local"))):
        for image, output in enumerate(np.array(found[index])):
            tokens, others = (maps[i][image].reshape(-1, 8) for i in (index, 1 - index))
            expected = attention(
                dense(getattr(layer, f"{own}_query"), tokens),
                dense(getattr(layer, f"{other}_key"), others),
                dense(getattr(layer, f"{other}_value"), others),
                heads=2,
            )
            expected = dense(getattr(layer, f"{own}_output"), expected)
            np.testing.assert_allclose(output.reshape(-1, 8), expected, atol=1e-5)
    assert InterScaleAlignment.from_config(layer.get_config()).num_heads == 2
