"""Checks of arguments that several layers and configurations share."""

import numbers
import operator


def check_heads(channels, num_heads, halves):
    """Checks that heads divide channels, and says how many heads each half gets.

    Args:
        channels: Channels of the feature map.
        num_heads: Heads over all channels.
        halves: 2 if the channels are split between rows and columns (the parallel form), else 1.

    Returns:
        Heads per half. A half always keeps at least one, so `num_heads=1` gives one to each.

    Raises:
        ValueError: If the channels or the heads do not divide evenly.
    """
    if channels % halves:
        raise ValueError(
            "Half of the channels attends in rows, half in columns, so their number must be even. "
            f"Received: channels={channels}"
        )
    if num_heads > 1 and num_heads % halves:
        raise ValueError(
            "`num_heads` must be 1 or even, to be split over the row half and the column half. "
            f"Received: num_heads={num_heads}"
        )
    heads = max(1, num_heads // halves)
    if (channels // halves) % heads:
        raise ValueError(
            f"`num_heads` must divide the channels: {heads} head(s) do not divide the "
            f"{channels // halves} channels they share. "
            f"Received: num_heads={num_heads}, channels={channels}"
        )
    return heads


def check_pair(argument, value):
    """Returns `(rows, columns)` of a size given as a positive integer or a pair of them; a
    `ValueError` names `argument`."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"`{argument}` must be an integer or a pair. Received: {value!r}")
    return tuple(check_positive_int(argument, size) for size in pair)


def check_positive_int(argument, value):
    """Returns `value`, any kind of integer, as an `int`; a `ValueError` names `argument` if it is
    less than 1 or no integer."""
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"`{argument}` must be a positive integer. Received: {value!r}")
    return number


def check_share(argument, share):
    """Raises a `ValueError` that names `argument` unless `share` is in `[0, 1]`."""
    if not isinstance(share, numbers.Real) or not 0.0 <= share <= 1.0:
        raise ValueError(f"`{argument}` must be in [0, 1]. Received: {share!r}")


def check_rate(argument, rate):
    """Raises a `ValueError` that names `argument` unless `rate` is in `[0, 1)`."""
    if not isinstance(rate, numbers.Real) or not 0.0 <= rate < 1.0:
        raise ValueError(f"`{argument}` must be in [0, 1). Received: {rate!r}")


def check_keep(argument, share):
    """Raises a `ValueError` that names `argument` unless `share`, of what is kept, is in
    `(0, 1]`."""
    if not isinstance(share, numbers.Real) or not 0.0 < share <= 1.0:
        raise ValueError(f"`{argument}` must be in (0, 1]. Received: {share!r}")
