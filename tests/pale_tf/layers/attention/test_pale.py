"""PSAttention against its definition."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PSAttention
from pale_tf.layers.attention.pale import IMPLEMENTATIONS
from tests.pale_tf import attention_oracle, oracle
from tests.pale_tf.layers.attention.every_attention import EveryAttention
from tests.pale_tf.layers.checks import randomize, run_layer

MAPS = [(14, 14), (10, 23), (5, 3), (1, 1), (28, 7)]
KINDS = ("Softmax", "BatchMatMulV2")
PALE_SIZES = [7, 3, (3, 5), 1]


def oracle_weights(layer):
    """The weights of `layer` as the oracle names them, in float64."""

    def double(weight):
        return keras.ops.convert_to_numpy(weight).astype("float64")

    weights = {
        "output": {
            "kernel": double(layer.output_projection.kernel),
            "bias": double(layer.output_projection.bias),
        }
    }
    for name in layer.projected:
        projection = getattr(layer, name)
        weights[name] = {
            "depthwise": double(projection.depthwise.kernel),
            "mean": double(projection.norm.moving_mean),
            "variance": double(projection.norm.moving_variance),
            "gamma": double(projection.norm.gamma),
            "beta": double(projection.norm.beta),
            "kernel": double(projection.pointwise.kernel),
            "bias": double(projection.pointwise.bias),
        }
    return weights


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("pale_size", PALE_SIZES, ids=str)
@pytest.mark.parametrize("size", MAPS, ids=str)
def test_equals_the_brute_force_oracle(size, pale_size, implementation):
    layer = PSAttention(4, pale_size, implementation)
    layer.build((None, *size, 8))
    randomize(layer, seed=0)
    x = np.random.default_rng(1).normal(size=(2, *size, 8))
    weights = oracle_weights(layer)
    expected = [oracle.ps_attention(image, weights, 4, pale_size, implementation) for image in x]
    actual = keras.ops.convert_to_numpy(layer(x.astype("float32")))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_one_head_is_one_for_each_half():
    layer = PSAttention(1, 3)
    layer.build((None, 7, 5, 6))
    randomize(layer, seed=2)
    x = np.random.default_rng(3).normal(size=(7, 5, 6))
    expected = oracle.ps_attention(x, oracle_weights(layer), 1, 3, "parallel")
    actual = keras.ops.convert_to_numpy(layer(x[None].astype("float32")))[0]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def measured_region(layer, token, size):
    """Tokens whose input changes the output of `token`: where the Jacobian is not exactly zero."""
    rng = np.random.default_rng(4)
    x = tf.constant(rng.normal(size=(1, *size, 8)), "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = layer(x)[0, token[0], token[1]]
        seen = tf.reduce_sum(output * rng.normal(size=8))
    gradient = tape.gradient(seen, x)[0].numpy()
    return {place for place in np.ndindex(*size) if np.any(gradient[place])}


@pytest.mark.parametrize(
    ("size", "pale_size", "token"),
    [
        ((56, 56), 7, (20, 37)),
        ((56, 56), 7, (0, 55)),
        ((31, 22), 3, (17, 9)),
        ((31, 22), 3, (30, 21)),
    ],
)
def test_a_token_sees_its_rows_and_columns_and_no_more(size, pale_size, token):
    layer = PSAttention(2, pale_size)
    layer.build((None, *size, 8))
    randomize(layer, seed=5)
    groups = oracle.row_group(token, *size, pale_size) | oracle.column_group(
        token, *size, pale_size
    )
    expected = oracle.dilate(groups, *size)
    assert len(expected) < size[0] * size[1]
    assert measured_region(layer, token, size) == expected


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_layer(implementation):
    run_layer(
        lambda **kwargs: PSAttention(2, 3, implementation, dropout=0.1, **kwargs),
        weight_count=3 * 7 + 2,
    )


def test_layer_with_a_pair_and_a_pale_larger_than_the_map():
    run_layer(lambda **kwargs: PSAttention(4, (50, 60), **kwargs), weight_count=3 * 7 + 2)


def test_dropout_acts_in_training_only():
    layer = PSAttention(2, 3, dropout=0.5, seed=1)
    x = np.random.default_rng(6).normal(size=(1, 6, 6, 8)).astype("float32")
    layer(x)
    randomize(layer, seed=7)
    without = PSAttention(2, 3)
    without.build(x.shape)
    without.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), without(x))
    assert np.abs(layer(x, training=True) - without(x, training=True)).max() > 1e-3


def test_one_token_attends_to_itself_without_a_warning():
    layer = PSAttention(2)
    layer.build((None, 1, 1, 8))
    randomize(layer, seed=9)
    x = np.random.default_rng(10).normal(size=(2, 1, 1, 8)).astype("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        outputs = layer(x)
    np.testing.assert_allclose(outputs, layer.output_projection(layer.value(x)), atol=1e-6)


@pytest.mark.parametrize("size", [(14, 14), (10, 23)], ids=str)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_softmax_is_float32_under_mixed_precision(policy, size):
    layer = PSAttention(4, dtype=policy)
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((1, *size, 8))).graph
    types = {kind: [op for op in graph.get_operations() if op.type == kind] for kind in KINDS}
    assert {op.outputs[0].dtype for op in types["Softmax"]} == {tf.float32}
    assert {op.outputs[0].dtype.name for op in types["BatchMatMulV2"]} == {
        policy.removeprefix("mixed_")
    }


def test_channels_are_last_whatever_keras_is_set_to():
    x = np.random.default_rng(8).normal(size=(1, 6, 9, 8)).astype("float32")
    layer = PSAttention(2, 3, seed=0)
    expected = layer(x)
    keras.config.set_image_data_format("channels_first")
    try:
        other = PSAttention(2, 3)
        other.build(x.shape)
        other.set_weights(layer.get_weights())
        np.testing.assert_array_equal(other(x), expected)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_projections_start_from_different_values():
    layer = PSAttention(2, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02))
    layer.build((None, 7, 7, 8))
    kernels = [
        layer.query.pointwise.kernel,
        layer.key.pointwise.kernel,
        layer.value.pointwise.kernel,
    ]
    for first, second in zip(kernels, kernels[1:] + kernels[:1], strict=True):
        assert np.abs(keras.ops.convert_to_numpy(first - second)).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be a positive integer. Received: 0"),
        ({"num_heads": 2, "pale_size": 0}, "`pale_size` must be a positive integer. Received: 0"),
        (
            {"num_heads": 2, "pale_size": 7.0},
            "`pale_size` must be .* Received: 7.0",
        ),
        ({"num_heads": True}, "`num_heads` must be a positive integer. Received: True"),
        ({"num_heads": 2, "pale_size": (7, 7, 7)}, r"Received: \(7, 7, 7\)"),
        ({"num_heads": 2, "implementation": "diagonal"}, "`implementation` must be one of"),
        ({"num_heads": 2, "dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PSAttention(**arguments)


def test_numpy_integers_are_integers():
    config = PSAttention(np.int64(2), np.int64(3)).get_config()
    assert [type(config[name]) for name in ("num_heads", "pale_size")] == [int, int]


def test_a_map_without_a_batch_or_channels():
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        PSAttention(2)(np.zeros((1, 49, 8), "float32"))


@pytest.mark.parametrize(
    ("num_heads", "channels", "message"),
    [
        (1, 7, "must be even. Received: channels=7"),
        (3, 12, "must be 1 or even.* Received: num_heads=3"),
        (4, 10, "2 head.s. do not divide the 5 channels.* Received: num_heads=4, channels=10"),
    ],
)
def test_heads_and_halves_that_do_not_divide(num_heads, channels, message):
    with pytest.raises(ValueError, match=message):
        PSAttention(num_heads).build((None, 7, 7, channels))


class TestPSAttention(EveryAttention):
    attentions = ("pale", "pale_vanilla", "pale_sequential")


@pytest.mark.parametrize(
    ("implementation", "pooling", "keep"),
    [
        ("parallel", 1, 0.5),
        ("parallel", 2, 0.4),
        ("sequential_row", 1, 0.34),
        ("sequential_column", 3, 0.01),
    ],
)
@pytest.mark.parametrize("size", [(9, 9), (5, 8), (10, 7), (1, 1)], ids=str)
def test_only_groups_of_large_values_attend(size, implementation, pooling, keep):
    """Lines of 2, so that there are groups, and padding where sides are odd."""
    layer = PSAttention(4, 2, implementation, pooling, keep, projection="linear")
    layer.build((None, *size, 8))
    randomize(layer, seed=30)
    x = np.random.default_rng(31).normal(size=(3, *size, 8))
    # Images of their own kind have groups of their own.
    x *= np.random.default_rng(32).uniform(0.2, 2, (3, *size, 1))
    found = keras.ops.convert_to_numpy(layer(x.astype("float32")))
    for image, output in zip(x, found, strict=True):
        projected = (
            attention_oracle.dense(getattr(layer, name), image)
            for name in ("query", "key", "value")
        )
        expected = oracle.pale_outputs(*projected, 4, 2, implementation, pooling, keep)
        expected = attention_oracle.dense(layer.output_projection, expected)
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


def test_layer_whose_groups_are_selected():
    run_layer(lambda **kwargs: PSAttention(4, 2, keep=0.5, **kwargs), channels=16)


def test_operations_of_selection_are_there_only_where_a_group_is_left_out():
    """Of one group, none is left out; and at `keep` 1, none of any."""
    kinds = {}
    for keep, rows, side in ((1, 2, 7), (1, 2, None), (0.5, 7, 7), (0.5, 2, 7), (0.5, 2, None)):
        layer = PSAttention(2, rows, keep=keep)
        traced = tf.function(layer).get_concrete_function(tf.TensorSpec((1, side, side, 8)))
        kinds[keep, rows, side] = {operation.type for operation in traced.graph.get_operations()}
    for case, found in kinds.items():
        assert ("TopKV2" in found) == (case in ((0.5, 2, 7), (0.5, 2, None))), case


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, r"`keep` must be in \(0, 1\]. Received: 0"),
        ({"keep": 0.5, "implementation": "vanilla"}, "`keep` must be 1 for whole pales"),
        ({"keep": 0.5, "sharing": "gives"}, "`keep` must be 1 where blocks share"),
    ],
)
def test_bad_shares_of_groups(options, message):
    with pytest.raises(ValueError, match=message):
        PSAttention(4, **options)


def sharing_layers(size, implementation, pooling=1, **options):
    """A plain layer, one with the same weights that gives, and one with others that takes."""
    options |= {"implementation": implementation, "pooling": pooling}
    plain, gives, takes = (
        PSAttention(4, 3, sharing=sharing, name=f"layer_{sharing}", **options)
        for sharing in (None, "gives", "takes")
    )
    shape = (None, *size, 8)
    plain.build(shape)
    gives.build(shape)
    takes.build([shape, *gives.weight_shapes(shape)])
    randomize(plain, seed=20)
    gives.set_weights(plain.get_weights())
    randomize(takes, seed=21)
    return plain, gives, takes


@pytest.mark.parametrize(
    ("implementation", "pooling"), [*((name, 1) for name in IMPLEMENTATIONS), ("parallel", 2)]
)
@pytest.mark.parametrize("size", [(9, 9), (5, 8)], ids=str)
def test_shared_weights_are_spread_over_other_values(size, implementation, pooling):
    plain, gives, takes = sharing_layers(size, implementation, pooling)
    rng = np.random.default_rng(22)
    x, other = rng.normal(size=(2, 2, *size, 8)).astype("float32")
    outputs, *weights = gives(x)
    np.testing.assert_allclose(outputs, plain(x), rtol=0, atol=1e-5)
    assert [tuple(weight.shape) for weight in weights] == list(gives.weight_shapes(x.shape))
    found = keras.ops.convert_to_numpy(takes([other, *weights]))
    assert takes.compute_output_shape([x.shape, *gives.weight_shapes(x.shape)]) == x.shape
    own, foreign = oracle_weights(plain), oracle_weights(takes)
    for image, second, output in zip(x.astype("float64"), other, found, strict=True):
        query, key = (oracle.separable(image, own[name]) for name in ("query", "key"))
        value = oracle.separable(second.astype("float64"), foreign["value"])
        expected = oracle.pale_outputs(query, key, value, 4, 3, implementation, pooling)
        expected = expected @ foreign["output"]["kernel"] + foreign["output"]["bias"]
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


def test_who_takes_has_neither_queries_nor_keys():
    _, gives, takes = sharing_layers((6, 6), "parallel")
    assert {weight.path.split("/")[1] for weight in takes.weights} == {"value", "output"}
    for layer in (gives, takes):
        copy = PSAttention.from_config(layer.get_config())
        assert copy.get_config() == layer.get_config()


def test_dropout_of_shared_weights_acts_in_training_only():
    _, gives, _ = sharing_layers((6, 6), "parallel", dropout=0.5, seed=1)
    x = np.random.default_rng(23).normal(size=(1, 6, 6, 8)).astype("float32")
    _, rows, _ = gives(x)
    np.testing.assert_allclose(keras.ops.sum(rows, axis=-1), 1.0, atol=1e-5)
    _, rows, _ = gives(x, training=True)
    assert (keras.ops.convert_to_numpy(rows) == 0).mean() > 0.3
