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
    text = os.environ.get("TF_CONFIG")
    try:
        config = json.loads(text or "")
        kind, index = config["task"]["type"], int(config["task"]["index"])
        sizes = {name: len(config["cluster"].get(name, [])) for name in ("chief", "worker")}
        found = sizes["chief"] <= 1 and 0 <= index < sizes[kind]
    except (ValueError, KeyError, TypeError, AttributeError):
        found = False
    if not found:
        raise SettingError(
            "argument --strategy: multi_worker needs the environment variable TF_CONFIG, such as "
            '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text!r}'
        )
    return index + (sizes["chief"] if kind == "worker" else 0), sum(sizes.values())
