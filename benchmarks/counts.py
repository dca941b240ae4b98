"""Multiply-accumulates of the networks, as benchmarks/complexity.py has counted them.

Needs neither Keras nor TensorFlow.
"""

import functools
import json

from benchmarks.paths import RESULTS

COUNTS = RESULTS / "complexity.json"


@functools.cache
def macs():
    """Multiply-accumulates of one image at 224×224, by the names of `pale_tf.configs.NETWORKS`."""
    rows = json.loads(COUNTS.read_text())["networks"]
    return {row["network"]: row["macs"]["total"] for row in rows}
