"""A training step, alone."""

import numpy as np
import pytest

from benchmarks import training_step


@pytest.mark.slow
def test_trains(monkeypatch):
    """Among 1000 classes, the first loss of random weights is near log 1000; then it falls."""
    monkeypatch.setattr(training_step, "SIZE", 32)
    step = training_step.make_step("pale_n", 2, stages=(1,))
    losses = [step() for _ in range(40)]
    assert abs(losses[0] - np.log(1000)) < 0.5
    assert losses[-1] < losses[0]
