"""Training of the cheaper forms by the project's own loop."""

import dataclasses

import pytest

from benchmarks import efficiency_accuracy
from benchmarks.efficiency_variants import PRUNED
from training.recipe import load_recipe


@pytest.mark.slow
def test_prunes_and_trains_on_in_the_same_number_of_epochs(data_dir, monkeypatch):
    runs, run_in = [], efficiency_accuracy.run_in

    def noted(folder, recipe, *arguments):
        runs.append(recipe)
        return run_in(folder, recipe, *arguments)

    monkeypatch.setattr(efficiency_accuracy, "run_in", noted)
    monkeypatch.setattr("benchmarks.attention_accuracy.run_in", noted)
    row = efficiency_accuracy.train("digits", PRUNED, 0, data_dir, share=0.25)
    scored, tuned = runs
    assert (row["variant"], row["seed"], row["epochs"]) == (PRUNED, 0, 4)
    assert (scored.epochs, tuned.epochs) == (3, 1)
    assert scored.model.sparsity > 0 == tuned.model.sparsity
    units = sum(map(sum, tuned.model.mlp_widths))
    whole = sum(4 * 16 * 2**stage * 2 for stage in range(4))
    assert units == pytest.approx(0.6 * whole, abs=1)
    assert 0.1 < row["score"] <= 1


def test_scenes_are_learned_in_half_the_epochs_of_their_recipe():
    """And in two at least, for one of the forms is pruned in between."""
    recipe = load_recipe("digit_scenes")
    comparison = efficiency_accuracy.COMPARISONS["digit_scenes"]
    make = comparison.make_recipe
    assert [make(share).epochs for share in (1.0, 0.1)] == [recipe.epochs // 2, 2]
    changed = {"epochs": 2, "settings": {**recipe.settings, "channels": 32}}
    assert make(1.0) == dataclasses.replace(recipe, **changed)
    assert (comparison.score, len(comparison.seeds)) == ("test_miou", 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", efficiency_accuracy.COMPARISONS)
def test_makes_its_data_sets(tmp_path, name):
    efficiency_accuracy.prepare(name, tmp_path)
    assert list(tmp_path.glob(f"{name}/*/dataset_info.json"))
