"""The committed counts, which other benchmarks read."""

from benchmarks import counts
from pale_tf.configs import NETWORKS


def test_every_network_is_counted():
    assert list(counts.macs()) == list(NETWORKS)
    assert counts.macs()["pale_t"] == 4_202_551_296
