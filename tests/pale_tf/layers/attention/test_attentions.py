"""The registry of attentions."""

import pytest

from pale_tf import PaleConfig
from pale_tf.layers.attention import ATTENTIONS, Place, block_attention, make_attention
from tests.pale_tf.layers.attention.every_attention import FORMS


def test_every_name_has_a_form():
    assert {name for name, *_ in FORMS.values()} == set(ATTENTIONS)


@pytest.mark.parametrize("attention", ["linear", None, ["pale"]])
def test_an_unknown_name_is_refused(attention):
    with pytest.raises(ValueError, match=r"`attention` must be one of .* Received: "):
        make_attention(attention, Place(0, 0), 4)


def test_an_argument_that_the_attention_does_not_take_is_refused():
    expected = r"`attention_options` must be arguments of 'global'. Received: .*'axis': 1"
    with pytest.raises(ValueError, match=expected):
        make_attention("global", Place(0, 0), 4, axis=1)
    with pytest.raises(ValueError, match=r"must be arguments of 'shuffled_window'. Received: "):
        make_attention("shuffled_window", Place(0, 1), 4, shift=True)  # which it sets itself


def test_a_block_gets_what_its_configuration_sets_for_the_stage():
    config = PaleConfig(
        "mine",
        16,
        (1, 2, 1, 1),
        (2, 4, 8, 16),
        pale_size=3,
        attention=("pale", "axial", "window", "global"),
        attention_options=({}, {"span": 5}, {"dropout": 0.1}, {}),
        projection="linear",
    )
    layers = [block_attention(config, stage, 1, name="a") for stage in range(4)]
    assert [layer.num_heads for layer in layers] == [2, 4, 8, 16]
    assert [layer.dropout for layer in layers] == [0.0, 0.0, 0.1, 0.0]
    assert {layer.projection for layer in layers} == {"linear"}
    assert layers[0].pale_size == 3
    assert (layers[1].axis, layers[1].span) == ("width", 5)  # the second block
