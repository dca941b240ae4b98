"""Table and plot of the cheaper forms, of made-up measurements."""

import json

import pytest
from PIL import Image

from benchmarks import efficiency
from benchmarks.efficiency_variants import PLAIN, VARIANTS


@pytest.fixture
def results():
    """Sharing is 1.25 times as fast in LiteRT, half as fast in OpenVINO; no other form is timed."""
    seconds = {
        "LiteRT": {PLAIN: [0.1, 0.2], "sharing 2": [0.08, 0.16]},
        "OpenVINO": {PLAIN: [0.05, 0.05], "sharing 2": [0.1, 0.1]},
    }
    forms = {
        PLAIN: {"macs": 4.2e9, "parameters": 22_000_000},
        "sharing 2": {"macs": 3.9e9, "parameters": 20_500_000},
    }
    scores = [(PLAIN, 0.95), (PLAIN, 0.97), ("sharing 2", 0.94), ("local", 0.9)]
    accuracy = [{"variant": variant, "accuracy": score} for variant, score in scores]
    return {"speed": {"seconds": seconds, "forms": forms}, "accuracy": accuracy}


def test_the_table_has_times_ratios_and_spreads(results):
    table = efficiency.table_rows(results)
    assert len({len(row) for row in table}) == 1
    rows = {row[0]: row[1:] for row in table[1:]}
    assert list(rows) == [PLAIN, "sharing 2", "local"]
    assert rows[PLAIN][:2] == ["22.0", "4.20"]
    assert rows[PLAIN][-1] == "96.0 ± 1.4"
    assert rows["sharing 2"][2:6] == ["120", "1.25", "100", "0.50"]
    assert rows["local"] == [""] * 6 + ["90.0"]


def test_measures_what_is_asked_for_and_writes_files(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(efficiency, "measure_speed", lambda flags: [results["speed"]])
    monkeypatch.setattr(efficiency, "measure_accuracy", None)
    path = tmp_path / "efficiency.json"
    path.write_text(json.dumps({"accuracy": results["accuracy"]}))
    efficiency.main(["--only", "speed", "--json", str(path)])
    assert json.loads(path.read_text()) == json.loads(json.dumps(results))
    assert "96.0 ± 1.4" in capsys.readouterr().out
    with Image.open(tmp_path / "efficiency.png") as picture:
        assert picture.size == (810, 414)


def test_a_quick_look_is_at_few_forms_and_leaves_the_results_alone():
    flags = efficiency.parse_flags(["--quick"])
    assert set(flags.variants) < set(VARIANTS)
    assert flags.json != efficiency.RAW
    assert efficiency.parse_flags([]).variants == tuple(VARIANTS)
