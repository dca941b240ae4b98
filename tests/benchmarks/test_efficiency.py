"""Table and plot of the cheaper forms, of made-up measurements."""

import concurrent.futures
import contextlib
import json
import types

import pytest
from PIL import Image

from benchmarks import efficiency
from benchmarks.efficiency_accuracy import COMPARISONS
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
    digits = [{"variant": variant, "score": score} for variant, score in scores]
    scenes = [{"variant": PLAIN, "score": 0.5}]
    return {
        "speed": {"seconds": seconds, "forms": forms},
        "digits": digits,
        "digit_scenes": scenes,
    }


def test_the_table_has_times_ratios_and_spreads(results):
    table = efficiency.table_rows(results)
    assert len({len(row) for row in table}) == 1
    rows = {row[0]: row[1:] for row in table[1:]}
    assert list(rows) == [PLAIN, "sharing 2", "local"]
    assert rows[PLAIN][:2] == ["22.0", "4.20"]
    assert rows[PLAIN][-2:] == ["96.0 ± 1.4", "50.0"]
    assert rows["sharing 2"][2:6] == ["120", "1.25", "100", "0.50"]
    assert rows["local"] == [""] * 6 + ["90.0", ""]


def test_measures_what_is_asked_for_and_writes_files(results, tmp_path, monkeypatch, capsys):
    measured = {"speed": lambda flags, found: [results["speed"]], "digits": None}
    monkeypatch.setattr(efficiency, "PARTS", measured)
    path = tmp_path / "efficiency.json"
    path.write_text(json.dumps({**results, "speed": {"of": "an earlier run"}}))
    efficiency.main(["--only", "speed", "--json", str(path)])
    assert json.loads(path.read_text()) == json.loads(json.dumps(results))
    assert "96.0 ± 1.4" in capsys.readouterr().out
    with Image.open(tmp_path / "efficiency.png") as picture:
        assert picture.size == (810, 756)


def test_a_quick_look_is_at_few_forms_and_leaves_the_results_alone():
    flags = efficiency.parse_flags(["--quick"])
    assert set(flags.variants) < set(VARIANTS)
    assert flags.json != efficiency.RAW
    assert efficiency.parse_flags([]).variants == tuple(VARIANTS)
    assert flags.parts == ["speed", "digits"]
    assert efficiency.parse_flags([]).parts == list(efficiency.PARTS) == ["speed", *COMPARISONS]
    assert efficiency.parse_flags(["--only", "digit_scenes"]).parts == ["digit_scenes"]


def test_what_was_measured_is_not_repeated(monkeypatch):
    class Done(concurrent.futures.Future):
        def __init__(self, function, *arguments):
            super().__init__()
            self.set_result(function(*arguments))

    class Pool(contextlib.nullcontext):
        def __init__(self, *arguments, **keywords):
            super().__init__(types.SimpleNamespace(submit=Done))

    def train(name, variant, seed, data, share):
        return {"variant": variant, "seed": seed, "score": share}

    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(efficiency.efficiency_accuracy, "train", train)
    monkeypatch.setattr(efficiency.efficiency_accuracy, "prepare", lambda name, data: None)
    flags = types.SimpleNamespace(quick=False, variants=(PLAIN, "local"))
    earlier = [{"variant": PLAIN, "seed": 1, "score": 0.5}]
    *_, rows = efficiency.measure_scores("digit_scenes", flags, earlier)
    assert rows[0] == earlier[0]
    assert {(row["variant"], row["seed"]) for row in rows[1:]} == {
        (PLAIN, 0),
        ("local", 0),
        ("local", 1),
    }
    assert len(earlier) == 1
