"""Distribution strategies, and what a model needs to train well under one."""

import threading

import keras
import tensorflow as tf

from common.errors import SettingError
from training.distribution.cluster import read_addresses, read_cluster
from training.distribution.multi_worker import adapt_keras
from training.distribution.waiting import wait_for_workers

# A large odd number, so that the seeds of neighboring replicas have little in common.
REPLICA_SEED_STEP = 0x9E3779B1

STRATEGIES = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)


def make_strategy(name, cpu_replicas=1, wait=300):
    """Makes the distribution strategy called `name`.

    Args:
        name: `"none"` for one device, `"mirrored"` for all visible GPUs, or the CPU without any,
            `"multi_worker"` for those of all machines that `TF_CONFIG` lists.
        cpu_replicas: With `"mirrored"` and no GPU, the number of logical devices that the CPU is
            split into, one replica each. For trying replication without GPUs.
        wait: With `"multi_worker"`, seconds for the other workers to start.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        SettingError: If there is no such strategy, there are GPUs and `cpu_replicas` is not 1, or
            `TF_CONFIG` describes no cluster.
        WorkerLostError: If not all workers start in time.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return _make_mirrored(cpu_replicas)
    if name == "multi_worker":
        own, others = read_addresses()  # whose errors are clearer than TensorFlow's
        adapt_keras()
        wait_for_workers(own, others, wait)
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise SettingError(
        f'`strategy` must be "none", "mirrored" or "multi_worker". Received: {name!r}'
    )


def worker_of(strategy):
    """Index of this process among the workers of a strategy, and their number. 0 is the chief."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return read_cluster()
    return 0, 1


def chief_first(strategy, function):
    """Calls `function` on the chief, and then on the other workers; returns what it returns."""
    if worker_of(strategy)[0] == 0:
        result = function()
        _wait_for_all(strategy)
        return result
    _wait_for_all(strategy)
    return function()


def _wait_for_all(strategy):
    if worker_of(strategy)[1] > 1:
        strategy.reduce(tf.distribute.ReduceOp.SUM, tf.ones(()), axis=None)


def check_batch(strategy, batch_size, accumulate, least=1):
    """Raises a `SettingError` unless every replica gets `accumulate` equal parts of a batch, and
    there are `least` images in a part of all replicas."""
    replicas = strategy.num_replicas_in_sync
    parts = replicas * accumulate
    if batch_size % parts:
        raise SettingError(
            f"`batch_size` must be divisible by {parts}: {replicas} replicas, and `accumulate` "
            f"{accumulate}. Received: {batch_size}"
        )
    if batch_size // accumulate < least:
        raise SettingError(
            f"`batch_size` must be {least * accumulate} at least: the task needs {least} images in "
            f"each part, and `accumulate` is {accumulate}. Received: {batch_size}"
        )


def distribute(strategy, make_batches, batch_size):
    """Spreads batches over the replicas of a strategy.

    Args:
        strategy: A `tf.distribute.Strategy`.
        make_batches: A function of keyword arguments `batch_size`, the images of one worker in a
            step, and `shard`, its index and the number of workers, to a `tf.data.Dataset`.
        batch_size: Images in a step, over all replicas.

    Returns:
        What Keras' `fit` takes.
    """
    shard = worker_of(strategy)
    if not isinstance(strategy, STRATEGIES):
        return make_batches(batch_size=batch_size, shard=shard)

    def make(context):
        batches = make_batches(batch_size=batch_size // shard[1], shard=shard)
        part = batch_size // context.num_replicas_in_sync
        if part == batch_size // shard[1]:
            return batches
        return batches.rebatch(part, drop_remainder=True).prefetch(tf.data.AUTOTUNE)

    # For one replica too: Keras would have the strategy rewrite the pipeline before each epoch.
    return strategy.distribute_datasets_from_function(make)


def prepare_replicas(strategy, model):
    """Makes `model` train under several replicas as it would under one. No-op under one replica.

    Args:
        strategy: The strategy in whose scope the model was built.
        model: A `keras.Model`, before its first step.
    """
    if strategy.num_replicas_in_sync > 1:
        _synchronize_batch_norm(model)
        _separate_losses(model)
        separate_random_states(strategy, model)


def separate_random_states(strategy, model):
    """Gives every replica random states of its own, made from those of replica 0.

    Keras mirrors the state of a `SeedGenerator` with its value, so that all replicas would drop
    the same paths and the same units; each then advances its own copy. On the chief, replica 0
    keeps its state; call this when all copies are those of replica 0.
    """
    worker, _ = worker_of(strategy)
    for variable in model.variables:
        if variable.name == "seed_generator_state":
            copies = strategy.experimental_local_results(variable.value)
            for index, copy in enumerate(copies, start=worker * len(copies)):
                seed, counter = copy.numpy().tolist()
                seed = (seed + index * REPLICA_SEED_STEP) % 2**31
                copy.assign([seed, counter])


def _make_mirrored(cpu_replicas):
    if tf.config.list_physical_devices("GPU"):
        if cpu_replicas > 1:
            raise SettingError(
                f"`cpu_replicas` is for machines without a GPU. Received: {cpu_replicas}"
            )
        return tf.distribute.MirroredStrategy()
    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * cpu_replicas
    tf.config.set_logical_device_configuration(cpu, logical)
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(cpu_replicas)])


class _Losses(threading.local):
    """The losses that a layer adds, apart for each replica: each runs in a thread of its own."""

    def __init__(self):
        self._values = []
        self.extend, self.clear = self._values.extend, self._values.clear

    def __getitem__(self, index):
        return self._values[index]


def _separate_losses(model):
    """Keeps the losses of `add_loss` apart for each replica.

    Replicas take turns in the middle of a step, where BatchNorm is synchronized. In one list, one
    would clear or count what another has added.
    """
    for layer in model._flatten_layers():
        layer._losses = _Losses()


def _synchronize_batch_norm(model):
    """Lets every BatchNormalization of a model see the whole batch, not its replica's part.

    A part of a batch has other statistics; with synchronized ones, the number of replicas does not
    change what is trained.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
