"""Times, ratios, peaks of memory, and where figures come from."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import timing
from benchmarks.paths import ROOT


def test_ratios_are_taken_within_repetitions():
    """A machine that becomes ten times slower half way changes the times, and not the ratio."""
    base = np.array([1.0, 1.0, 10.0, 10.0, 10.0])
    assert timing.speed(base / 2, base) == pytest.approx((2.0, 2.0, 2.0))
    median, low, high = timing.speed(base / [1, 2, 3, 4, 5], base)
    assert (median, low, high) == pytest.approx((3.0, 1.4, 4.6))
    assert timing.in_words((median, low, high)) == "3.00 (1.40 to 4.60)"


def test_repetitions_are_interleaved_after_two_to_warm_up():
    calls = []
    runners = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = timing.interleave(runners, 3)
    assert calls == list("ab" * 5)
    assert {name: len(values) for name, values in seconds.items()} == {"a": 3, "b": 3}


def test_peak_memory_is_that_of_the_function_alone():
    """In a process of its own, whose peak is not another test's."""
    code = """
import json
import numpy as np
from benchmarks.timing import peak_of

held = np.ones(10_000_000)  # 80 MB, which do not count
print(json.dumps(peak_of(lambda: np.ones(25_000_000).sum(), repetitions=2)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    costs = json.loads(done.stdout)
    assert 190e6 < costs["bytes"] < 230e6
    assert len(costs["seconds"]) == 2


def test_the_last_line_of_a_benchmark_is_read(monkeypatch, tmp_path):
    """From any working folder."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(subprocess.CalledProcessError) as error:
        timing.run_apart("flags_that_do_not_exist", 1)
    assert "No module named benchmarks.flags_that_do_not_exist" in error.value.stderr


def test_the_origin_tells_the_command_that_can_be_run_again():
    code = "import json\nfrom benchmarks.timing import origin\nprint(json.dumps(origin()))"
    done = subprocess.run(
        [sys.executable, "-c", code, "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    origin = json.loads(done.stdout)
    assert origin["command"] == ["python", "-c", code, "--quick"]
    assert origin["versions"]["python"].startswith("3.")
    assert "cores" in origin["machine"]
