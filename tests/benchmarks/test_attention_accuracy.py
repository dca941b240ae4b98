"""Training of the compared networks by the project's own loop."""

import pytest

from benchmarks import attention_accuracy
from benchmarks.attention_accuracy import COMPARISONS, make_recipe
from training.loop.optimizer import make_schedule


@pytest.mark.parametrize(
    ("name", "images", "steps"), [("digits", 1257, 300), ("long_range", 6000, 400)]
)
def test_every_attention_has_the_same_recipe(name, images, steps):
    one, other = (make_recipe(name, attention, 1.0) for attention in ("pale", "global"))
    assert (one.model.attention, other.model.attention) == ("pale", "global")
    assert {**vars(one), "model": None} == {**vars(other), "model": None}
    per_epoch = images // one.batch_size
    assert one.epochs * per_epoch == pytest.approx(steps, rel=0.08)
    rate = make_schedule(one, per_epoch)
    warm = one.epochs * per_epoch / 10
    assert float(rate(warm / 2)) == pytest.approx(1e-3, rel=0.01)
    assert float(rate(warm)) == pytest.approx(2e-3, rel=0.01)


def test_a_share_of_the_epochs():
    assert make_recipe("digits", "pale", 0.1).epochs == 2
    assert make_recipe("long_range", "pale", 0.01).epochs == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARISONS)
def test_trains_the_same_from_the_same_seed(name, data_dir):
    rows = attention_accuracy.train(name, "global", (0, 1, 0), data_dir, share=0.1)
    assert [row["seed"] for row in rows] == [0, 1, 0]
    assert rows[0]["loss"] == pytest.approx(rows[2]["loss"], rel=1e-5)
    assert abs(rows[0]["loss"] - rows[1]["loss"]) > 1e-3
    assert 1 / 10 < rows[0]["accuracy"] <= 1
