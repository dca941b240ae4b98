"""Strategies, on two logical CPUs in a process of their own."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from common.errors import SettingError
from training.distribution.strategies import check_batch, make_strategy
from training.recipe import load_recipe

PROGRAM = """
import json, sys
import numpy as np, tensorflow as tf, keras
from pale_tf import PaleN
from training.recipe import load_recipe
from training.distribution.strategies import check_batch, make_strategy, prepare_replicas

keras.utils.set_random_seed(0)
strategy = make_strategy("mirrored", cpu_replicas=2)
with strategy.scope():
    model = PaleN(input_shape=(32, 32, 3), classes=4, drop_path_rate=0.5)
drop_path = model.get_layer("stage4_block1_drop_path1")
attention = model.get_layer("stage1_block1_attention")

@tf.function
def masks():
    replica = strategy.run(lambda: drop_path(tf.ones((64, 1)), training=True))
    return strategy.experimental_local_results(replica)

rng = np.random.default_rng(0)
batch = rng.normal(size=(8, 8, 8, 32)).astype("float32")
batch[4:] = 3 * batch[4:] + 1  # of other statistics than the first half, which one replica sees

def statistics():
    attention.query.norm.moving_mean.assign(np.zeros(32))
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(batch, 2)[context.replica_id_in_sync_group])
    )
    step = tf.function(lambda: strategy.run(attention, args=(halves,), kwargs={"training": True}))
    outputs = strategy.experimental_local_results(step())
    mean = attention.query.norm.moving_mean.numpy()
    return np.concatenate([output.numpy() for output in outputs]), mean

def whole():
    attention.query.norm.moving_mean.assign(np.zeros(32))
    output = attention(batch, training=True).numpy()
    return output, attention.query.norm.moving_mean.numpy()

result = {"replicas": strategy.num_replicas_in_sync}
result["same before"] = bool(np.array_equal(*masks()))
apart = statistics()[0]
prepare_replicas(strategy, model)
first, second = masks()
result["same after"] = bool(np.array_equal(first, second))
result["dropped"] = [float((mask.numpy() == 0).mean()) for mask in (first, second)]
result["same at the next step"] = bool(np.array_equal(first, masks()[0]))
together, mean = statistics()
output, expected_mean = whole()
result["output"] = float(np.abs(together - output).max())
result["mean"] = float(np.abs(mean - expected_mean).max())
result["apart"] = float(np.abs(apart - output).max())
json.dump(result, sys.stdout)
"""


@pytest.fixture(scope="module")
def result(request):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=request.config.rootpath,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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


def test_none_is_the_default_strategy():
    assert make_strategy("none") is tf.distribute.get_strategy()


def test_a_batch_that_does_not_divide():
    recipe = dataclasses.replace(load_recipe("digits"), batch_size=30, accumulate=4)
    with pytest.raises(SettingError, match=r"divisible by 4: 1 replicas, .* Received: 30"):
        check_batch(tf.distribute.get_strategy(), recipe)


def test_a_strategy_that_there_is_not():
    with pytest.raises(SettingError, match=r"`strategy` must be .* Received: 'tpu'"):
        make_strategy("tpu")
