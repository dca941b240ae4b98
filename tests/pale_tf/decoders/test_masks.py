"""The mask head, against the oracle."""

import keras
import numpy as np
import pytest

from pale_tf.decoders.masks import MaskHead, MaskOfClass
from tests.conftest import HAS_BFLOAT16
from tests.pale_tf.decoders import detector_oracle as oracle
from tests.pale_tf.layers.checks import randomize

CLASSES, CHANNELS = 3, 4


def head(**options):
    layer = MaskHead(CLASSES, name="mask_head", **options)
    layer.build((None, 14, 14, CHANNELS))
    randomize(layer, 0)
    return layer


def test_the_head_equals_the_oracle():
    layer = head()
    convolutions, upsampling = 4 * (9 * CHANNELS + 1) * CHANNELS, (4 * CHANNELS + 1) * CHANNELS
    assert layer.count_params() == convolutions + upsampling + (CHANNELS + 1) * CLASSES
    x = np.random.default_rng(1).normal(size=(5, 14, 14, CHANNELS)).astype("float32")
    expected = oracle.mask_head(x.astype("float64"), oracle.weights_of([layer]))
    assert expected.std() > 0.1
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16])
def test_the_head_gives_float32_under_half_precision(policy):
    layer = head(dtype=policy)
    assert layer.convolutions[0].compute_dtype == policy.removeprefix("mixed_")
    assert layer(np.ones((2, 14, 14, CHANNELS), "float32")).dtype == "float32"
    spec = layer(keras.Input((14, 14, CHANNELS)))
    assert (spec.shape, spec.dtype) == ((None, 28, 28, CLASSES), "float32")


def test_each_box_gets_the_mask_of_its_class():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, (6, 28, 28, CLASSES)).astype("float32")
    logits[0] = 500.0  # sigmoids of 0 and 1
    logits[1] = -500.0
    classes, scores = np.array([[2, 0, 1], [1, 1, 0]]), np.array([[0.9, 0.8, 0.7], [0.6, 0, 0]])
    found = np.asarray(MaskOfClass()([logits, classes, scores]))
    assert found.shape == (2, 3, 28, 28)
    for image, place in np.ndindex(2, 3):
        chosen = logits[3 * image + place, :, :, classes[image, place]].astype("float64")
        expected = 1 / (1 + np.exp(-chosen)) if scores[image, place] > 0 else 0 * chosen
        np.testing.assert_allclose(found[image, place], expected, atol=1e-6)


def test_configurations():
    for layer in (MaskHead(3, name="a"), MaskOfClass(name="b")):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match=r"`classes` must be a positive integer. Received: 0"):
        MaskHead(0)
