"""The cluster that TF_CONFIG describes."""

import json

import pytest

from common.errors import SettingError
from training.distribution.cluster import read_addresses, read_cluster


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}, (1, 2)),
        (
            {
                "cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"]},
                "task": {"type": "worker", "index": 1},
            },
            (2, 3),
        ),
        (
            {
                "cluster": {"chief": ["a:1"], "worker": ["b:1"]},
                "task": {"type": "chief", "index": "0"},
            },
            (0, 2),
        ),
    ],
)
def test_reads_the_cluster(monkeypatch, config, expected):
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert read_cluster() == expected
    own, others = read_addresses()
    assert own == ["a:1", "b:1", "c:1"][expected[0]]
    assert {own, *others} == {"a:1", "b:1", "c:1"} or {own, *others} == {"a:1", "b:1"}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not JSON",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_refuses_what_is_no_cluster(monkeypatch, text):
    if text is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SettingError, match="needs the environment variable TF_CONFIG"):
        read_cluster()


@pytest.mark.parametrize(
    "workers",
    [
        ["a:1", "a:1"],
        ["a"],
        ["a:"],
        [":1"],
        ["a:b"],
        ["a:0"],
        ["a:70000"],
        [1, 2],
        [None],
        ["a:\u0661"],
    ],
)
def test_refuses_addresses_that_are_none_or_there_twice(monkeypatch, workers):
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(SettingError, match="must have addresses HOST:PORT, all different"):
        read_cluster()
