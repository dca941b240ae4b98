"""The counter of multiply-accumulates, operation by operation."""

import pytest
import tensorflow as tf

from common.complexity import macs_of, multiply_accumulates
from pale_tf.layers.mlp import MLP


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), [(1, 8, 6, 3), (3, 3, 3, 5)], 4 * 3 * 5 * 27),
        (
            lambda x, k: tf.nn.depthwise_conv2d(x, k, (1, 1, 1, 1), "VALID"),
            [(1, 5, 5, 4), (3, 3, 4, 1)],
            3 * 3 * 4 * 9,
        ),
        (
            lambda x, k: tf.nn.conv2d_transpose(x, k, (2, 8, 6, 5), 2),
            [(2, 4, 3, 7), (2, 2, 5, 7)],
            2 * 4 * 3 * 7 * 2 * 2 * 5,
        ),
        (tf.matmul, [(6, 5), (5, 7)], 6 * 5 * 7),
        (lambda a, b: tf.matmul(a, b, transpose_a=True), [(5, 6), (5, 7)], 6 * 5 * 7),
        (lambda a, b: tf.matmul(a, b, transpose_b=True), [(2, 6, 5), (2, 7, 5)], 2 * 6 * 5 * 7),
    ],
)
def test_operations(function, shapes, expected):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    graph = tf.function(function).get_concrete_function(*specs).graph
    assert sum(map(multiply_accumulates, graph.get_operations())) == expected


def test_an_operation_it_does_not_know_is_an_error():
    spec = tf.TensorSpec((2, 3))
    graph = tf.function(lambda a: tf.einsum("ij,kj->ik", a, a)).get_concrete_function(spec).graph
    (einsum,) = [op for op in graph.get_operations() if op.type == "Einsum"]
    with pytest.raises(ValueError, match="do not know how to count"):
        multiply_accumulates(einsum)


def test_a_layer_of_one_image():
    assert macs_of(MLP(ratio=2), (3, 5, 4)) == 3 * 5 * 2 * (4 * 8)
