"""The counter of parameters and multiply-accumulates."""

import json

import pytest
import tensorflow as tf

from benchmarks import complexity
from benchmarks.counts import COUNTS

COUNTED = {"pale_t": (21.75, 4.20), "pale_s": (48.31, 8.98), "pale_b": (85.32, 15.53)}


def committed(network):
    """The row of a network in the committed counts."""
    (row,) = [r for r in json.loads(COUNTS.read_text())["networks"] if r["network"] == network]
    return row


@pytest.mark.parametrize("network", COUNTED)
def test_counts_are_the_published_ones(network):
    row = complexity.count(network, 224, 224)
    params, macs = COUNTED[network]
    assert row["params"]["total"] / 1e6 == pytest.approx(params, rel=0.01)
    assert row["macs"]["total"] / 1e9 == pytest.approx(macs, rel=0.01)
    published_params, published_macs = complexity.PUBLISHED[network]
    assert row["params"]["total"] / 1e6 == pytest.approx(published_params, rel=0.015)
    assert row["macs"]["total"] / 1e9 == pytest.approx(published_macs, rel=0.01)
    assert row == committed(network)


@pytest.mark.parametrize("network", complexity.PUBLISHED)
def test_committed_counts_are_the_published_ones(network):
    row = committed(network)
    params, macs = complexity.PUBLISHED[network]
    assert row["params"]["total"] / 1e6 == pytest.approx(params, rel=0.03)
    assert row["macs"]["total"] / 1e9 == pytest.approx(macs, rel=0.015)


def test_attention_costs_what_the_paper_says():
    """`4hwc² + hwc(s_c·h + s_r·w + 27)`, where nothing is padded."""
    import pale_tf

    height, width, channels = 28, 14, 32
    layer = pale_tf.PSAttention(4, 7)
    image = tf.TensorSpec((1, height, width, channels))
    operations = tf.function(layer).get_concrete_function(image).graph.get_operations()
    counted = sum(complexity.multiply_accumulates(op) for op in operations)
    tokens = height * width
    assert counted == 4 * tokens * channels**2 + tokens * channels * (7 * height + 7 * width + 27)


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), [(1, 8, 6, 3), (3, 3, 3, 5)], 4 * 3 * 5 * 27),
        (
            lambda x, k: tf.nn.depthwise_conv2d(x, k, (1, 1, 1, 1), "VALID"),
            [(1, 5, 5, 4), (3, 3, 4, 1)],
            3 * 3 * 4 * 9,
        ),
        (tf.matmul, [(6, 5), (5, 7)], 6 * 5 * 7),
        (lambda a, b: tf.matmul(a, b, transpose_a=True), [(5, 6), (5, 7)], 6 * 5 * 7),
        (lambda a, b: tf.matmul(a, b, transpose_b=True), [(2, 6, 5), (2, 7, 5)], 2 * 6 * 5 * 7),
    ],
)
def test_operations(function, shapes, expected):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    graph = tf.function(function).get_concrete_function(*specs).graph
    assert sum(map(complexity.multiply_accumulates, graph.get_operations())) == expected


def test_an_operation_it_does_not_know_is_an_error():
    spec = tf.TensorSpec((2, 3))
    graph = tf.function(lambda a: tf.einsum("ij,kj->ik", a, a)).get_concrete_function(spec).graph
    (einsum,) = [op for op in graph.get_operations() if op.type == "Einsum"]
    with pytest.raises(ValueError, match="do not know how to count"):
        complexity.multiply_accumulates(einsum)


def test_prints_a_table_and_writes_json(tmp_path, capsys):
    complexity.main(
        ["--networks", "pale_n", "--size", "33", "47", "--json", str(tmp_path / "counts.json")]
    )
    assert "pale_n  GMACs" in capsys.readouterr().out
    written = json.loads((tmp_path / "counts.json").read_text())
    assert written["size"] == [33, 47]
    assert written["networks"] == [complexity.count("pale_n", 33, 47)]
