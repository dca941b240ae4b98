"""The benchmark of the input pipeline, on a few images and without the libraries' slow layers."""

import json

import pytest

from benchmarks import input_pipeline


@pytest.mark.slow
def test_measures_every_pipeline(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(input_pipeline, "LIBRARIES", {})
    path = tmp_path / "rates.json"
    flags = ["--images", "4", "--seconds", "0.1", "--repetitions", "1", "--json", str(path)]
    input_pipeline.main(flags)
    rates = json.loads(path.read_text())["images_per_second"]
    assert len(rates) == 5
    assert all(len(values) == 1 and values[0] > 0 for values in rates.values())
    printed = capsys.readouterr().out
    assert "whole recipe" in printed
