"""Strategies, on two logical CPUs in a process of their own."""

import json
import sys

import pytest
import tensorflow as tf

from common.errors import SettingError
from tests.training.runs import finish
from training.distribution.strategies import check_batch, make_strategy

PROGRAM = """
import json, sys
import numpy as np, tensorflow as tf, keras
from pale_tf import PaleN
from training.distribution.strategies import make_strategy, prepare_replicas

keras.utils.set_random_seed(0)
strategy = make_strategy("mirrored", cpu_replicas=2)
with strategy.scope():
    model = PaleN(input_shape=(32, 32, 3), classes=4, drop_path_rate=0.5)
drop_path = model.get_layer("stage4_block1_drop_path1")
attention = model.get_layer("stage1_block1_attention")
moving_mean = attention.query.norm.moving_mean

@tf.function
def masks():
    replica = strategy.run(lambda: drop_path(tf.ones((64, 1)), training=True))
    return strategy.experimental_local_results(replica)

rng = np.random.default_rng(0)
batch = rng.normal(size=(8, 8, 8, 32)).astype("float32")
batch[4:] = 3 * batch[4:] + 1  # of other statistics than the first half, which one replica sees

def on_halves(layer, mean):
    mean.assign(np.zeros(32))
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(batch, 2)[context.replica_id_in_sync_group])
    )
    step = tf.function(lambda: strategy.run(layer, args=(halves,), kwargs={"training": True}))
    outputs = strategy.experimental_local_results(step())
    return np.concatenate([output.numpy() for output in outputs]), mean.numpy()

def whole():
    moving_mean.assign(np.zeros(32))
    return attention(batch, training=True).numpy(), moving_mean.numpy()

result = {"replicas": strategy.num_replicas_in_sync}
result["same before"] = bool(np.array_equal(*masks()))
apart = on_halves(attention, moving_mean)[0]
prepare_replicas(strategy, model)
first, second = masks()
result["same after"] = bool(np.array_equal(first, second))
result["dropped"] = [float((mask.numpy() == 0).mean()) for mask in (first, second)]
result["same at the next step"] = bool(np.array_equal(first, masks()[0]))
together, mean = on_halves(attention, moving_mean)
output, expected_mean = whole()
result["output"] = float(np.abs(together - output).max())
result["mean"] = float(np.abs(mean - expected_mean).max())
result["apart"] = float(np.abs(apart - output).max())

# A norm of Keras, in a network inside of the network, as a head may have it.
with strategy.scope():
    inner = keras.Sequential([keras.Input((8, 8, 32)), keras.layers.BatchNormalization()])
    images = keras.Input((8, 8, 32))
    nested = keras.Model(images, inner(images))
    norm = inner.layers[-1]

apart = on_halves(nested, norm.moving_mean)[0]
prepare_replicas(strategy, nested)
together, mean = on_halves(nested, norm.moving_mean)
expected = (batch - batch.mean((0, 1, 2))) / np.sqrt(batch.var((0, 1, 2)) + 1e-3)
result["nested output"] = float(np.abs(together - expected).max())
result["nested mean"] = float(np.abs(mean - 0.01 * batch.mean((0, 1, 2))).max())
result["nested apart"] = float(np.abs(apart - expected).max())
json.dump(result, sys.stdout)
"""


@pytest.fixture(scope="module")
def result():
    return json.loads(finish(command=[sys.executable, "-c", PROGRAM]))


def test_replicas_drop_different_paths(result):
    assert result["replicas"] == 2
    assert result["same before"]  # what Keras does, and why there is something to do
    assert not result["same after"]
    assert not result["same at the next step"]
    # Rate 0.5, 64 draws: five standard deviations are 0.31.
    assert all(0.19 < dropped < 0.81 for dropped in result["dropped"])


def test_batch_norm_sees_the_whole_batch(result):
    assert result["output"] < 1e-5
    assert result["mean"] < 1e-6
    assert result["apart"] > 1e-3


def test_so_does_one_of_keras_inside_of_another_network(result):
    assert result["nested output"] < 1e-4  # of values up to 5
    assert result["nested mean"] < 1e-6
    assert result["nested apart"] > 0.1


def test_none_is_the_default_strategy():
    assert make_strategy("none") is tf.distribute.get_strategy()


def test_a_batch_that_does_not_divide():
    with pytest.raises(SettingError, match=r"divisible by 4: 1 replicas, .* Received: 30"):
        check_batch(tf.distribute.get_strategy(), 30, 4)
    check_batch(tf.distribute.get_strategy(), 32, 4)
    with pytest.raises(SettingError, match=r"must be 8 at least: the task needs 2 images.*: 4"):
        check_batch(tf.distribute.get_strategy(), 4, 4, least=2)
    check_batch(tf.distribute.get_strategy(), 8, 4, least=2)


def test_a_strategy_that_there_is_not():
    with pytest.raises(SettingError, match=r"`strategy` must be .* Received: 'tpu'"):
        make_strategy("tpu")
