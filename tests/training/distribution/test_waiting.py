"""Waiting for workers: said at once, over as soon as they listen, ended in time or by a signal."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from common.errors import SettingError
from tests.conftest import ROOT
from training.distribution.waiting import wait_for_workers
from training.errors import WorkerLostError


@pytest.fixture
def addresses():
    """Three addresses where nobody listens."""
    listeners = [socket.create_server(("localhost", 0)) for _ in range(3)]
    found = [f"localhost:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    return found


def test_all_workers_find_each_other(addresses, capsys):
    """Whenever each of them starts; the one that is first says for whom it waits."""
    ended = []

    def work(index):
        time.sleep(index)
        others = [*addresses[:index], *addresses[index + 1 :]]
        wait_for_workers(addresses[index], others, 30)
        ended.append(index)
        with socket.create_server(("", int(addresses[index].split(":")[1]))):  # as TensorFlow does
            time.sleep(3)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [0, 1, 2]
    assert f"waiting up to 30 s for {addresses[1]}, {addresses[2]}\n" in capsys.readouterr().out


def test_gives_up_in_time(addresses):
    begin = time.monotonic()
    with pytest.raises(WorkerLostError, match=rf"no worker at {addresses[1]} within 1 s \(--wait"):
        wait_for_workers(addresses[0], addresses[1:2], 1)
    assert time.monotonic() - begin < 5


def test_a_port_that_is_taken(addresses):
    with (
        socket.create_server(("", int(addresses[0].split(":")[1]))),
        pytest.raises(
            SettingError, match=f"cannot listen at {addresses[0]}, this worker's address"
        ),
    ):
        wait_for_workers(addresses[0], [], 1)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_ends_the_waiting(addresses, tmp_path, number):
    task = {"type": "worker", "index": 0}
    config = json.dumps({"cluster": {"worker": addresses}, "task": task})
    arguments = ["--strategy", "multi_worker", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "training" / "fit.py"), *arguments],
        env={**os.environ, "TF_CONFIG": config, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what runs in the background ignore SIGINT, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout.readline().startswith("waiting up to 300 s for localhost:")
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == {signal.SIGTERM: -15, signal.SIGINT: 130}[number]
    assert "Traceback" not in errors
