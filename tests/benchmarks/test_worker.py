"""Processes that run things on request."""

import os

import pytest

from benchmarks import worker


def test_workers_keep_to_their_cores_and_run_beside_each_other(tmp_path):
    """Each waits for the file of the other: one after the other would never end."""
    cores = sorted(os.sched_getaffinity(0))
    with worker.staff() as hire:
        workers = [
            hire(
                "tests.benchmarks.meeting:make",
                str(tmp_path),
                name,
                other,
                cores=cores[:1],
                environment={"A": "1"},
            )
            for name, other in ("ab", "ba")
        ]
        worker.together(workers, "x")()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        "ab", f"x {cores[:1]} 1"
    )
    assert all(w.process.returncode == 0 for w in workers)


def test_a_worker_that_fails_says_why():
    with worker.staff() as hire:
        run = worker.together([hire("tests.benchmarks.meeting:make", "", "", "")], "x")
        with pytest.raises(RuntimeError, match="meeting:make ended: KeyError: 'A'"):
            run()
