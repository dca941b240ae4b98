"""The comparison of the attentions: what it measures, and what it leaves."""

import json

import pytest

from benchmarks import attentions
from tests.benchmarks.attention_results import results


@pytest.fixture
def asked(monkeypatch):
    """The command lines of the processes that are asked for costs."""
    commands = []

    def run(command, **options):
        commands.append(command[1:])
        return type("Done", (), {"stdout": json.dumps(results()["cost"][0])})

    monkeypatch.setattr("benchmarks.timing.subprocess.run", run)
    return commands


def test_measures_only_what_is_not_there(tmp_path, asked):
    path = tmp_path / "attentions.json"
    path.write_text(json.dumps(results()))
    flags = ["--quick", "--json", str(path), "--plot", str(tmp_path / "plot.png")]
    flags += ["--only", "cost", "--attentions", "pale", "global"]
    attentions.main(flags)
    assert asked == []
    attentions.main([*flags, "axial"])
    assert asked == [["-m", "benchmarks.attention_cost", "axial", "224"]]
    assert len(json.loads(path.read_text())["cost"]) == 5


def test_a_quick_look_leaves_the_committed_files_alone():
    flags = attentions.parse_flags(["--quick"])
    assert flags.report is None
    assert attentions.IMAGES not in flags.plot.parents
    assert flags.json != attentions.RAW
    assert attentions.parse_flags([]).json == attentions.RAW
