"""The comparison of the attentions: each part on something small, and the report."""

import json

import pytest
from PIL import Image

from benchmarks import (
    attention_accuracy,
    attention_cost,
    attention_prediction,
    attention_report,
    attentions,
)
from benchmarks.attention_networks import NETWORKS


@pytest.mark.parametrize("task", NETWORKS)
def test_networks_differ_in_the_attention_only(task):
    names = {
        tuple(layer.name for layer in NETWORKS[task](attention).layers[1:-3])
        for attention in ("pale", "axial", "global")
    }
    assert len(names) == 1


@pytest.mark.parametrize(
    ("attention", "share"),
    [("window", 1 / 3), ("global", 1 / 3), ("axial", 2 / 3), ("cross_shaped", 1.0)],
)
def test_regions_predict_what_one_block_can_know(attention, share):
    assert attention_prediction.predicted_accuracy(attention) == pytest.approx(share, abs=0.01)


@pytest.mark.slow
def test_trains_the_same_from_the_same_seed(data_dir):
    rows = attention_accuracy.train("digits", "global", (0, 1, 0), data_dir, share=0.03)
    assert [row["seed"] for row in rows] == [0, 1, 0]
    assert rows[0]["steps"] == 9
    assert rows[0]["loss"] == pytest.approx(rows[2]["loss"], rel=1e-5)
    assert abs(rows[0]["loss"] - rows[1]["loss"]) > 1e-3


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


def results():
    costs = [
        {"attention": name, "size": size, "parameters": 21e6, "macs": 4e9, "region": 0.25}
        | {"seconds": [1.0], "median_seconds": 1.0, "bytes": 1e8}
        for name in ("pale", "global")
        for size in (224, 448)
    ]
    costs[-1] |= {"seconds": None}
    scores = [
        {"attention": "pale", "task": "digits", "seed": seed, "accuracy": accuracy}
        for seed, accuracy in enumerate((0.9, 0.95, 1.0))
    ]
    return {"cost": costs, "accuracy": scores}


def test_writes_the_part_between_the_marks(tmp_path):
    report = tmp_path / "report.md"
    marks = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
    report.write_text("before\n{}old\n{}after\n".format(*marks))
    attention_report.write_report(results(), report, tmp_path / "plot.png")
    text = report.read_text()
    assert text.startswith(f"before\n{marks[0]}|")
    assert text.endswith(f"{marks[1]}after\n")
    assert "old" not in text
    assert "| `pale` | 95.0 ± 5.0 |" in text
    pale, unfit = (
        [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.splitlines()
        if line.startswith(("| `pale` | 21", "| `global` | 21"))
    )
    assert pale == ["21.00", "4.0", "4.0", "", "1.00", "1.00", "-", "100", "100", "-", "25%"]
    assert unfit[5] == unfit[8] == "-"
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.size == (1170, 450)


def test_measures_only_what_is_not_there(tmp_path, monkeypatch):
    everything = results()
    path = tmp_path / "attentions.json"
    path.write_text(json.dumps(everything))
    asked = []

    def run(command, **options):
        asked.append(command[2:])
        return type("Done", (), {"stdout": json.dumps(everything["cost"][0])})

    monkeypatch.setattr("benchmarks.timing.subprocess.run", run)
    plot, only = tmp_path / "plot.png", ("--attentions", "pale", "global", "--only", "cost")
    attentions.main(["--quick", "--json", str(path), "--plot", str(plot), *only])
    assert asked == []
    attentions.main(
        ["--quick", "--json", str(path), "--plot", str(plot), *only[:3], "axial", *only[3:]]
    )
    assert asked == [["axial", "224"]]
    assert len(json.loads(path.read_text())["cost"]) == 5
