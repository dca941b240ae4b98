"""Training steps, alone."""

import numpy as np
import pytest

from benchmarks import training_step
from training.data.run_lengths import is_inside


@pytest.mark.slow
def test_trains(monkeypatch):
    """Among 1000 classes, the first loss of random weights is near log 1000; then it falls."""
    monkeypatch.setattr(training_step, "SIZE", 32)
    step = training_step.make_step("pale_n", 2, stages=(1,))
    losses = [step() for _ in range(40)]
    assert abs(losses[0] - np.log(1000)) < 0.5
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_trains_a_detector():
    step = training_step.make_detector_step("pale_n", 64, 96)
    losses = [step() for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_objects_are_the_targets_of_a_detector():
    """Pixels inside of a rectangle that no other one covers are inside of its mask."""
    targets = training_step.objects_in(40, 60, np.random.default_rng(0))
    targets = {name: value[0].numpy() for name, value in targets.items()}
    last = training_step.OBJECTS - 1
    x1, y1, x2, y2 = targets["boxes"][last].astype(int)
    assert targets["areas"][last] == (x2 - x1) * (y2 - y1) > 0
    assert 0 <= x1 < x2 <= 60
    assert 0 <= y1 < y2 <= 40
    places = np.arange(40 * 60)
    column, row = places // 40, places % 40
    expected = (x1 <= column) & (column < x2) & (y1 <= row) & (row < y2)
    found = is_inside(targets["flips"], np.int64(40 * 60), np.array([last]), places[None])
    np.testing.assert_array_equal(found[0], expected)
