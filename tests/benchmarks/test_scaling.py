"""Table and plot of cost against size."""

from benchmarks import scaling
from benchmarks.reports import save_plot


def test_scaling_is_told_in_parts_of_the_smallest_size_and_drawn(tmp_path):
    rows = [
        {"attention": "pale", "size": 224, "macs": 4e9, "seconds": [0.1], "bytes": 1e8},
        {"attention": "pale", "size": 448, "macs": 2e10, "seconds": [0.4], "bytes": 4e8},
        {"attention": "global", "size": 224, "macs": 7e9, "seconds": None, "bytes": None},
    ]
    table = scaling.rows({"rows": rows})
    assert table[2] == ["pale", "448", "4×", "20.0 (5.0×)", "0.40 (4.0×)", "400 (4.0×)"]
    assert table[3][-2:] == ["-", "-"]
    save_plot(
        lambda axis: scaling.draw(axis, [*rows[:2], rows[0] | {"attention": "global"}]),
        tmp_path / "x.png",
    )
    assert (tmp_path / "x.png").stat().st_size > 5000
