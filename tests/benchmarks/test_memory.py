"""The table of memory."""

from benchmarks import memory


def test_memory_is_compared_with_keeping_everything():
    rows = [
        {"stages": [], "bytes": 2e9, "seconds": [2.0]},
        {"stages": [1, 2], "bytes": 1e9, "seconds": [2.5]},
    ]
    table = memory.rows({"rows": rows})
    assert table[1] == ["none", "2000", "100%", "2.00", "100%"]
    assert table[2] == ["1, 2", "1000", "50%", "2.50", "125%"]
