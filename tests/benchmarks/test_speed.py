"""What the speed benchmarks make of their measurements."""

import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from benchmarks import (
    gpu,
    gpu_attention,
    inference,
    memory,
    operations,
    peers,
    reports,
    scaling,
    timing,
    training,
    worker,
)

ORIGIN = {"machine": "a machine", "versions": {}, "command": []}


def test_ratios_are_taken_within_repetitions():
    """A machine that becomes ten times slower half way changes the times, and not the ratio."""
    base = np.array([1.0, 1.0, 10.0, 10.0, 10.0])
    assert timing.speed(base / 2, base) == pytest.approx((2.0, 2.0, 2.0))
    median, low, high = timing.speed(base / [1, 2, 3, 4, 5], base)
    assert (median, low, high) == pytest.approx((3.0, 1.4, 4.6))
    assert timing.in_words((median, low, high)) == "3.00 (1.40 to 4.60)"


def test_repetitions_are_interleaved_after_two_to_warm_up():
    calls = []
    runners = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = timing.interleave(runners, 3)
    assert calls == list("ab" * 5)
    assert {name: len(values) for name, values in seconds.items()} == {"a": 3, "b": 3}


def test_peak_memory_is_that_of_the_function_alone():
    """In a process of its own, whose peak is not another test's."""
    code = """
import json
import numpy as np
from benchmarks.timing import peak_of

held = np.ones(10_000_000)  # 80 MB, which do not count
print(json.dumps(peak_of(lambda: np.ones(25_000_000).sum(), repetitions=2)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=reports.ROOT, capture_output=True, text=True, check=True
    )
    costs = json.loads(done.stdout)
    assert 190e6 < costs["bytes"] < 230e6
    assert len(costs["seconds"]) == 2


def test_the_product_rate_counts_multiplications_and_additions():
    assert peers.FLOPS == 2 * 2048**3
    multiply = peers.matrix_product()
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2048, 2048)) for _ in range(2))
    assert multiply("float32") == pytest.approx(a[0] @ b[:, 0], rel=1e-4)
    assert float(multiply("bfloat16")) == pytest.approx(a[0] @ b[:, 0], abs=1.0)


def test_share_of_the_product_rate_and_ratio_to_swin(tmp_path):
    pale = {"form": "SavedModel", "batch": 8, "processes": 1, "macs": 4.203e9}
    swin = pale | {"form": "Swin-T, PyTorch", "macs": 4.491e9}
    result = {
        # 100 GFLOP/s; an image of 4.203 GMACs is 8.406 GFLOP.
        "seconds": {
            "matrix product, float32": [0.1, 0.1],
            "SavedModel, batch 8, 1 at once": [1.0, 1.0],
            "Swin-T, PyTorch, batch 8, 1 at once": [1.5, 1.5],
            "SavedModel, batch 8, 2 at once": [1.6, 1.6],
        },
        "forms": {
            "SavedModel, batch 8, 2 at once": pale | {"processes": 2},
            "SavedModel, batch 8, 1 at once": pale,
            "Swin-T, PyTorch, batch 8, 1 at once": swin,
        },
        "flops": 1e10,
    }
    _, alone, peer, together = inference.rows(result)
    assert alone == ["SavedModel", "8", "1", "8.0", "67%", "1.50 (1.50 to 1.50)"]
    assert peer[:5] == ["Swin-T, PyTorch", "8", "1", "5.3", "48%"]
    assert together == ["SavedModel", "8", "2", "10.0", "84%", ""]
    reports.save_plot(lambda axis: inference.draw(axis, result), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000


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


def test_a_training_step_counts_three_times_the_inference():
    result = {
        "seconds": {"matrix product, float32": [0.1], "pale_t": [2.0]},
        "macs": {"pale_t": 4e9},
        "batch": 8,
        "flops": 1e10,
    }
    assert training.rows(result)[1] == ["pale_t", "4.00", "96%", ""]


def test_memory_is_compared_with_keeping_everything():
    rows = [
        {"stages": [], "bytes": 2e9, "seconds": [2.0]},
        {"stages": [1, 2], "bytes": 1e9, "seconds": [2.5]},
    ]
    table = memory.rows({"rows": rows})
    assert table[1] == ["none", "2000", "100%", "2.00", "100%"]
    assert table[2] == ["1, 2", "1000", "50%", "2.50", "125%"]


def test_scaling_is_told_in_parts_of_the_smallest_size_and_drawn(tmp_path):
    rows = [
        {"attention": "pale", "size": 224, "macs": 4e9, "seconds": [0.1], "bytes": 1e8},
        {"attention": "pale", "size": 448, "macs": 2e10, "seconds": [0.4], "bytes": 4e8},
        {"attention": "global", "size": 224, "macs": 7e9, "seconds": None, "bytes": None},
    ]
    table = scaling.rows({"rows": rows})
    assert table[2] == ["pale", "448", "4×", "20.0 (5.0×)", "0.40 (4.0×)", "400 (4.0×)"]
    assert table[3][-2:] == ["-", "-"]
    reports.save_plot(
        lambda axis: scaling.draw(axis, [*rows[:2], rows[0] | {"attention": "global"}]),
        tmp_path / "x.png",
    )
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_publishing_replaces_the_part_of_the_document(tmp_path, capsys):
    document = tmp_path / "docs" / "benchmarks.md"
    document.parent.mkdir()
    document.write_text("a\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nb\n")
    flags = types.SimpleNamespace(json=tmp_path / "speed.json", document=document)
    reports.publish("speed", ORIGIN, [["", "x"], ["name", "1"]], flags)
    assert document.read_text() == (
        "a\n<!-- speed: begin -->\n|  | x |\n| --- | --- |\n| name | 1 |\n<!-- speed: end -->\nb\n"
    )
    assert json.loads(flags.json.read_text()) == ORIGIN
    assert "a machine" in capsys.readouterr().out


def test_quick_results_leave_the_document_alone():
    flags = reports.parse_flags("Text.", "speed", ["--quick"])
    assert flags.document is None
    assert reports.parse_flags("Text.", "speed", []).document == reports.DOCUMENT


def test_a_worker_that_fails_says_why():
    with worker.staff() as hire:
        run = worker.together([hire("tests.benchmarks.meeting:make", "", "", "")], "x")
        with pytest.raises(RuntimeError, match="meeting:make ended: KeyError: 'A'"):
            run()


def test_counts_the_operations_of_a_function(tmp_path):
    import tensorflow as tf

    x = tf.random.normal((64, 64))
    function = tf.function(lambda: tf.reduce_sum(tf.exp(x @ x)) + tf.reduce_sum(tf.exp(x)))
    _, times = operations.trace_function(lambda: function().numpy(), tmp_path)
    assert times["Exp"][0] == 2
    assert any("MatMul" in name for name in times), times


def test_tells_what_is_fused(tmp_path):
    """The trace of a SavedModel names the fused operations of its optimised graph."""
    import tensorflow as tf

    kernel = tf.Variable(tf.random.normal((8, 16)))
    bias = tf.Variable(tf.random.normal((16,)))

    @tf.function(input_signature=[tf.TensorSpec((None, 8), name="images")])
    def serve(images):
        return {"logits": tf.nn.relu(tf.nn.bias_add(tf.matmul(images, kernel), bias))}

    holder = tf.Module()
    holder.weights = [kernel, bias]
    tf.saved_model.save(holder, tmp_path, signatures={"serving_default": serve})
    milliseconds, times = operations.trace(str(tmp_path), np.ones((4, 8), "float32"))
    assert milliseconds > 0
    assert any("MatMul[BiasAdd, Relu]" in name for name in times), times


def test_a_row_that_cannot_be_measured_says_why():
    """Neither timm nor a GPU is among what tests need."""
    row = gpu.measure_apart("swin_tiny", "training", 2, gpu.PEAK)
    assert (row["model"], row["mode"], row["batch"]) == ("swin_tiny", "training", 2)
    assert row["error"]
    assert "images_per_second" not in row


@pytest.mark.parametrize("stage", range(4))
def test_both_attentions_on_a_gpu_are_the_same(stage):
    inputs = gpu_attention.make_inputs(1, "float32", stage)
    assert inputs[0].shape[1:] == [(392, 8, 32), (196, 8, 32), (98, 8, 32), (49, 8, 32)][stage]
    np.testing.assert_allclose(
        gpu_attention.fused(*inputs), gpu_attention.written(*inputs), atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", gpu.MODES)
def test_measures_pale_on_jax(mode, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    row = gpu.measure_apart("nano", mode, 2, gpu.PEAK)
    assert "error" not in row, row
    assert len(row["seconds"]) == gpu.REPETITIONS
    work = 0.372e9 * (6 if mode == "training" else 2)
    assert row["utilisation"] == pytest.approx(row["images_per_second"] * work / gpu.PEAK)
