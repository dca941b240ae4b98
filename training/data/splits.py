"""The three splits of a data set, whoever split it."""

import collections

SPLITS = ("train", "validation", "test")
HELD_OUT = 10  # one in so many images is validated on, and one tested on, where nobody split them


def three_splits(found, group=None):
    """Makes the three splits of those that a data set has.

    Args:
        found: Lists of examples by the name of a split: of `SPLITS`, or all under any name. One
            alone is split here. Of validation and test, one stands in for the other.
        group: Function of an example to the group within which examples are split evenly, such as
            its class; None if all are one group.

    Returns:
        A dict of lists of examples, for each of `SPLITS`. They may be empty.
    """
    if len(found) == 1:
        return _hold_out(*found.values(), group)
    test = found.get("test", found.get("validation"))
    return {
        "train": found["train"],
        "validation": found.get("validation", test),
        "test": test,
    }


def _hold_out(examples, group):
    """Splits by group: of every `HELD_OUT`, one for validation and one for the test."""
    splits = {split: [] for split in SPLITS}
    seen = collections.Counter()
    for example in examples:
        key = None if group is None else group(example)
        turn = seen[key] % HELD_OUT
        splits["validation" if turn == 1 else "test" if turn == 2 else "train"].append(example)
        seen[key] += 1
    return splits
