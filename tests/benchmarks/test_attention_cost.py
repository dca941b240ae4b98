"""Costs of Pale-T with an attention."""

import pytest

from benchmarks import attention_cost


@pytest.mark.slow
def test_costs():
    row = attention_cost.measure("global", 64)
    assert row["attention"] == "global"
    assert len(row["seconds"]) == attention_cost.REPETITIONS
    assert row["largest_tensor"] == 4 * 2 * 256**2  # two heads, 256 tokens
    assert attention_cost.region_share("window") == 49 / 28**2
    assert attention_cost.region_share("axial") == 28 / 28**2


def test_what_does_not_fit_is_not_run(monkeypatch):
    monkeypatch.setattr(attention_cost, "MEMORY", 1000)
    row = attention_cost.measure("pale", 64)
    assert row["macs"] > 0
    assert row["seconds"] is None
