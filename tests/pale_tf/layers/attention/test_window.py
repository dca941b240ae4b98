"""Window attention against its definition."""

import keras
import numpy as np
import pytest

from pale_tf.layers.attention import ShuffledWindowAttention, WindowAttention
from tests.pale_tf.attention_oracle import dense, relative_bias
from tests.pale_tf.layers.attention.every_attention import EveryAttention
from tests.pale_tf.layers.checks import randomize
from tests.pale_tf.oracle import attend


class TestWindowAttention(EveryAttention):
    attentions = ("window", "shifted_window")


def pair(**options):
    """Two layers of the same weights: padding is masked by one, and seen in the other."""
    make = options.pop("make", WindowAttention)
    layers = [make(2, 4, padding=padding, **options) for padding in ("masked", "swin")]
    for layer in layers:
        layer.build((None, None, None, 8))
    randomize(layers[0], seed=1)
    layers[1].set_weights(layers[0].get_weights())
    return layers


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("projection", ["linear", "separable"])
@pytest.mark.parametrize("size", [(9, 11), (8, 13), (8, 8)])
def test_padding_may_be_seen(shift, projection, size):
    """The map is that of a larger one, zero outside, whose windows are whole."""
    masked, seen = pair(shift=shift, projection=projection)
    images = np.random.default_rng(0).normal(size=(2, *size, 8)).astype("float32")
    margins = [(0, -side % 4) for side in size]
    expected = masked(np.pad(images, ((0, 0), *margins, (0, 0))))[:, : size[0], : size[1]]
    np.testing.assert_allclose(seen(images), expected, rtol=0, atol=1e-5)


def test_padding_of_shuffled_windows_may_be_seen():
    masked, seen = pair(make=ShuffledWindowAttention, projection="linear")
    images = np.random.default_rng(0).normal(size=(2, 9, 11, 8)).astype("float32")
    # Three windows of 3 rows cover 9; three of 4 columns cover 12.
    expected = masked(np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 0))))[:, :, :11]
    np.testing.assert_allclose(seen(images), expected, rtol=0, atol=1e-5)


def test_a_small_map_is_one_square_window_or_several_shifted_ones():
    masked, seen = pair(shift=True, projection="linear")
    images = np.random.default_rng(0).normal(size=(2, 4, 9, 8)).astype("float32")
    # One side is no longer than a window: nothing is shifted.
    plain = WindowAttention.from_config({**masked.get_config(), "shift": False})
    plain.build(images.shape)
    plain.set_weights(masked.get_weights())
    padded = np.pad(images, ((0, 0), (0, 0), (0, 3), (0, 0)))
    np.testing.assert_allclose(seen(images), plain(padded)[:, :, :9], rtol=0, atol=1e-5)
    # Partitioned as elsewhere, a map of one window falls into four.
    always = WindowAttention.from_config({**seen.get_config(), "always_partition": True})
    always.build((None, 4, 4, 8))
    always.set_weights(masked.get_weights())
    whole = images[:, :, :4]
    parts = np.array(always(whole))
    for rows in (slice(2), slice(2, 4)):
        for columns in (slice(2), slice(2, 4)):
            part = plain(whole[:, rows, columns])
            np.testing.assert_allclose(parts[:, rows, columns], part, rtol=0, atol=1e-5)


@pytest.mark.parametrize("projection", ["linear", "separable"])
@pytest.mark.parametrize("size", [(9, 11), (8, 13), (3, 9), (4, 8)])
def test_padding_of_timm_is_behind_the_shifted_map(projection, size):
    """Token by token: who is in a window, and in the same part of it, as timm's mask has them."""
    _, seen = pair(shift=True, projection=projection)
    layer = WindowAttention.from_config({**seen.get_config(), "padding": "timm"})
    layer.build((None, None, None, 8))
    layer.set_weights(seen.get_weights())
    images = np.random.default_rng(0).normal(size=(1, *size, 8)).astype("float32")
    shifts = [2 if side > 4 else 0 for side in size]
    window = [min(side, 4) for side in size]
    rolled = np.roll(images, [-shift for shift in shifts], (1, 2))
    margins = [(0, -side % wide) for side, wide in zip(size, window, strict=True)]
    padded = np.pad(rolled, ((0, 0), *margins, (0, 0)))
    query, key, value = (np.array(part, "float64")[0] for part in layer.project(padded))
    query /= layer.scale  # the oracle has it
    whole = query.shape[:2]

    def group(token):
        return [
            (place // wide, shift and place >= end - shift)
            for place, wide, shift, end in zip(token, window, shifts, whole, strict=True)
        ]

    bias = relative_bias(layer, lambda token: token)
    places = list(np.ndindex(*whole))
    outputs = np.zeros(query.shape)
    for token in places:
        others = {place for place in places if group(place) == group(token)}
        outputs[token] = attend(token, others, query, key, value, 2, bias)
    outputs = dense(layer.output_projection, outputs)[: size[0], : size[1]]
    np.testing.assert_allclose(
        layer(images)[0], np.roll(outputs, shifts, (0, 1)), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    "options", [{"padding": "timm"}, {"padding": "swin"}, {"always_partition": True}]
)
def test_sizes_may_be_unknown(options):
    _, seen = pair(shift=True, projection="linear")
    layer = WindowAttention.from_config({**seen.get_config(), **options})
    image = keras.Input((None, None, 8))
    model = keras.Model(image, layer(image))
    layer.set_weights(seen.get_weights())
    for size in ((9, 11), (3, 4), (4, 9), (8, 8)):
        images = np.random.default_rng(0).normal(size=(2, *size, 8)).astype("float32")
        expected = layer(images)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)


def test_options_that_shuffled_windows_do_not_have():
    with pytest.raises(ValueError, match=r'`padding` must be "masked" or "swin". .*\'timm\''):
        ShuffledWindowAttention(2, padding="timm")
    with pytest.raises(TypeError, match="always_partition"):
        ShuffledWindowAttention(2, padding="swin", always_partition=True)


def test_partitions_of_small_maps_need_padding_that_is_seen():
    with pytest.raises(ValueError, match="`always_partition` needs `padding="):
        WindowAttention(2, always_partition=True)
    with pytest.raises(ValueError, match=r"`padding` must be one of .* Received: 'zeros'"):
        WindowAttention(2, padding="zeros")
