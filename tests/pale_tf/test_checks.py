"""Checks of arguments."""

import numpy as np
import pytest

from pale_tf.checks import check_heads, check_pair, check_positive_int, check_rate, check_share


@pytest.mark.parametrize(
    ("channels", "heads", "halves", "expected"),
    [(8, 4, 1, 4), (8, 4, 2, 2), (8, 1, 2, 1), (6, 2, 2, 1)],
)
def test_heads_of_each_half(channels, heads, halves, expected):
    assert check_heads(channels, heads, halves) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7, 2, 2), "must be even. Received: channels=7"),
        ((12, 3, 2), "must be 1 or even, .* Received: num_heads=3"),
        ((8, 3, 1), "must divide the channels: .* Received: num_heads=3, channels=8"),
    ],
)
def test_heads_that_do_not_divide(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_heads(*arguments)


@pytest.mark.parametrize(("value", "pair"), [(3, (3, 3)), ((2, 5), (2, 5)), ([1, 4], (1, 4))])
def test_pairs(value, pair):
    assert check_pair("size", value) == pair


@pytest.mark.parametrize("value", [(1, 2, 3), 0, (1, 0), 2.5, "7"])
def test_what_is_no_pair(value):
    with pytest.raises(ValueError, match=r"`size` must be .*Received: "):
        check_pair("size", value)


def test_any_kind_of_integer_is_one():
    found = check_positive_int("count", np.int64(3))
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, True, None, "1"])
def test_what_is_no_positive_integer(value):
    with pytest.raises(ValueError, match=r"`count` must be a positive integer. Received: "):
        check_positive_int("count", value)


@pytest.mark.parametrize("rate", [-0.1, 1.0, "0.5", None])
def test_rates(rate):
    check_rate("rate", 0.0)
    check_rate("rate", 0.99)
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\). Received: "):
        check_rate("rate", rate)


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan"), "0.5", None])
def test_shares(share):
    for inside in (0, 0.5, np.float32(0.3), 1):
        check_share("share", inside)
    with pytest.raises(ValueError, match=r"`share` must be in \[0, 1\]. Received: "):
        check_share("share", share)
