"""Operations of a graph, and their times."""

import numpy as np

from benchmarks import operations


def test_counts_the_operations_of_a_function(tmp_path):
    import tensorflow as tf

    x = tf.random.normal((64, 64))
    function = tf.function(lambda: tf.reduce_sum(tf.exp(x @ x)) + tf.reduce_sum(tf.exp(x)))
    _, times = operations.trace_function(lambda: function().numpy(), tmp_path)
    assert times["Exp"][0] == 2
    assert any("MatMul" in name for name in times), times


def test_tells_what_is_fused(tmp_path):
    """The trace of a SavedModel names the fused operations of its optimized graph."""
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


def test_small_operations_are_left_out(capsys):
    times = {"_FusedMatMul[BiasAdd, Relu]": (3, 99.8), "Exp": (1, 0.2)}
    operations.report("batch 1", 90.0, times)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "batch 1: 90.0 ms; operations: 100.0 ms"
    assert lines[-2].split() == ["_FusedMatMul[BiasAdd,", "Relu]", "3", "99.8", "100%"]
    assert not any("Exp" in line for line in lines)
