"""Three splits of what was split by others, or by nobody."""

import collections
import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from training.data.splits import three_splits


@hypothesis.given(st.lists(st.integers(0, 3), max_size=200))
def test_what_nobody_split_is_held_out_evenly_within_each_group(groups):
    examples = list(enumerate(groups))
    splits = three_splits({"all": examples}, group=lambda example: example[1])
    assert list(splits) == ["train", "validation", "test"]
    assert sorted(itertools.chain(*splits.values())) == examples
    for group, count in collections.Counter(groups).items():
        sizes = [sum(own == group for _, own in splits[split]) for split in splits]
        assert sizes[1:] == [(count + 8) // 10, (count + 7) // 10]  # the 2nd and 3rd of each ten


def test_without_groups_all_are_one():
    splits = three_splits({"train": list("abcdefghijklm")})
    assert splits == {"train": list("adefghijk"), "validation": ["b", "l"], "test": ["c", "m"]}


@pytest.mark.parametrize(
    ("found", "validation", "test"),
    [
        ({"train": [1], "validation": [2]}, [2], [2]),
        ({"train": [1], "test": [3]}, [3], [3]),
        ({"train": [1], "validation": [2], "test": [3]}, [2], [3]),
        ({"train": [1], "validation": [2], "test": []}, [2], []),
    ],
)
def test_validation_and_test_stand_in_for_each_other(found, validation, test):
    assert three_splits(found) == {"train": [1], "validation": validation, "test": test}
