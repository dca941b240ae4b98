"""The table of training steps."""

from benchmarks import training


def test_a_training_step_counts_three_times_the_inference():
    result = {
        "seconds": {"matrix product, float32": [0.1], "pale_t": [2.0]},
        "macs": {"pale_t": 4e9},
        "batch": 8,
        "flops": 1e10,
    }
    assert training.rows(result)[1] == ["pale_t", "4.00", "96%", ""]
