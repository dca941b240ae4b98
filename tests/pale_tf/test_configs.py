"""PaleConfig and the variants."""

import dataclasses

import pytest

from pale_tf.configs import PALE_T, VARIANTS


def test_stage_dims_double():
    assert PALE_T.stage_dims == (64, 128, 256, 512)


def test_configs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PALE_T.embed_dim = 1


def test_variants_are_the_four():
    assert {key: config.name for key, config in VARIANTS.items()} == {
        "nano": "pale_n",
        "tiny": "pale_t",
        "small": "pale_s",
        "base": "pale_b",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"depths": (2, 2, 2)},
            r"`depths` must have one entry per stage, 4. Received: \(2, 2, 2\)",
        ),
        ({"num_heads": (2, 4, 8, 15)}, "must be 1 or even.*num_heads=15"),
        ({"embed_dim": 63}, "must be even. Received: channels=63"),
        ({"depths": 2}, "`depths` must have one entry per stage, 4. Received: 2"),
        ({"depths": (1, 1, -1, 1)}, "`depths` must be a positive integer. Received: -1"),
        ({"num_heads": (0, 2, 4, 8)}, "`num_heads` must be a positive integer. Received: 0"),
        ({"embed_dim": 0}, "`embed_dim` must be a positive integer. Received: 0"),
        ({"pale_size": (7, 0)}, "`pale_size` must be a positive integer. Received: 0"),
        ({"mlp_ratio": 0}, "`mlp_ratio` must be positive. Received: 0"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must be in \[0, 1\). Received: 1.0"),
    ],
)
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PALE_T, **change)
