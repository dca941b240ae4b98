"""The accuracy that regions alone allow."""

import pytest

from benchmarks import attention_prediction


@pytest.mark.parametrize(
    ("attention", "share"),
    [("window", 1 / 3), ("global", 1 / 3), ("axial", 2 / 3), ("cross_shaped", 1.0)],
)
def test_regions_predict_what_one_block_can_know(attention, share):
    assert attention_prediction.predicted_accuracy(attention) == pytest.approx(share, abs=0.01)


def test_says_nothing_where_keys_are_no_tokens():
    assert attention_prediction.predicted_accuracy("messenger") is None
