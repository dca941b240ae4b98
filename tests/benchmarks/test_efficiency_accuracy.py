"""Training of the cheaper forms by the project's own loop."""

import pytest

from benchmarks import efficiency_accuracy
from benchmarks.efficiency_variants import PRUNED


@pytest.mark.slow
def test_prunes_and_trains_on_in_the_same_number_of_epochs(data_dir, monkeypatch):
    runs, run_in = [], efficiency_accuracy.run_in

    def noted(folder, recipe, *arguments):
        runs.append(recipe)
        return run_in(folder, recipe, *arguments)

    monkeypatch.setattr(efficiency_accuracy, "run_in", noted)
    monkeypatch.setattr("benchmarks.attention_accuracy.run_in", noted)
    row = efficiency_accuracy.train(PRUNED, 0, data_dir, share=0.25)
    scored, tuned = runs
    assert (row["variant"], row["seed"], row["epochs"]) == (PRUNED, 0, 4)
    assert (scored.epochs, tuned.epochs) == (3, 1)
    assert scored.model.sparsity > 0 == tuned.model.sparsity
    units = sum(map(sum, tuned.model.mlp_widths))
    whole = sum(4 * 16 * 2**stage * 2 for stage in range(4))
    assert units == pytest.approx(0.6 * whole, abs=1)
    assert 0.1 < row["accuracy"] <= 1
