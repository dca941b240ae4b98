"""The cluster that the environment variable TF_CONFIG describes."""

import json
import os

from common.errors import SettingError


def read_cluster():
    """Reads `TF_CONFIG`, as Kubernetes' operators and TensorFlow's resolvers write it.

    Returns:
        Index of this process among the workers, and their number. Index 0 is the chief: the task
        `chief` if there is one, else the first `worker`.

    Raises:
        SettingError: If the variable describes no such cluster.
    """
    index, addresses = _read()
    return index, len(addresses)


def read_addresses():
    """Address of this worker, `HOST:PORT`, and those of the others; errors as of `read_cluster`."""
    index, addresses = _read()
    return addresses[index], [*addresses[:index], *addresses[index + 1 :]]


def _read():
    """Index of this process among the workers, and the addresses of all of them."""
    text = os.environ.get("TF_CONFIG")
    try:
        config = json.loads(text or "")
        kind, index = config["task"]["type"], int(config["task"]["index"])
        found = {name: config["cluster"].get(name, []) for name in ("chief", "worker")}
        described = len(found["chief"]) <= 1 and 0 <= index < len(found[kind])
    except (ValueError, KeyError, TypeError, AttributeError):
        described = False
    if not described:
        raise SettingError(
            "argument --strategy: multi_worker needs the environment variable TF_CONFIG, such as "
            '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text!r}'
        )
    addresses = [*found["chief"], *found["worker"]]
    for address in addresses:
        if not _is_address(address) or addresses.count(address) > 1:
            raise SettingError(
                "argument --strategy: the workers in TF_CONFIG must have addresses HOST:PORT, all "
                f"different. Received: {address!r} in {addresses}"
            )
    return index + (len(found["chief"]) if kind == "worker" else 0), addresses


def _is_address(address):
    if not isinstance(address, str):
        return False
    host, _, port = address.rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 2**16
