"""Waits for the other workers, before TensorFlow does so in silence and deaf to signals."""

import socket
import time

from common.errors import SettingError
from training.errors import WorkerLostError

PAUSE = 0.5  # seconds between two attempts


def wait_for_workers(own, others, seconds):
    """Waits until every other worker listens at its address.

    This worker listens at its own until then, for the others wait for it as well. Creating the
    strategy takes the place of that: a worker which still waits finds TensorFlow's server there.

    Args:
        own: Address of this worker, `HOST:PORT`.
        others: Addresses of the others.
        seconds: How long to wait.

    Raises:
        SettingError: If another program listens at the port of this worker.
        WorkerLostError: If not all of them listen in time.
    """
    end = time.monotonic() + seconds
    try:
        listener = socket.create_server(("", _split(own)[1]))
    except OSError as error:
        raise SettingError(
            f"argument --strategy: cannot listen at {own}, this worker's address in TF_CONFIG: "
            f"{error.strerror}"
        ) from error
    with listener:
        absent = [address for address in others if not _listens(address)]
        if absent:
            print(f"waiting up to {seconds} s for {', '.join(absent)}", flush=True)
        while absent:
            if time.monotonic() > end:
                raise WorkerLostError(
                    f"no worker at {', '.join(absent)} within {seconds} s (--wait); start all "
                    "workers, or correct the addresses in TF_CONFIG"
                )
            time.sleep(PAUSE)
            absent = [address for address in absent if not _listens(address)]


def _listens(address):
    try:
        socket.create_connection(_split(address), timeout=2).close()
    except OSError:
        return False
    return True


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
