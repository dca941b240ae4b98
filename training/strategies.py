"""Distribution strategies, and what a model needs to train well under one."""

import tensorflow as tf

from pale_tf import PSAttention
from training.recipe import SettingError

# A large odd number, so that the seeds of neighbouring replicas have little in common.
REPLICA_SEED_STEP = 0x9E3779B1


def make_strategy(name, cpu_replicas=1):
    """Makes the distribution strategy called `name`.

    Args:
        name: `"none"` for one device, `"mirrored"` for all visible GPUs, or the CPU without any.
        cpu_replicas: With `"mirrored"` and no GPU, the number of logical devices that the CPU is
            split into, one replica each. For trying replication without GPUs.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        SettingError: If there is no such strategy, or there are GPUs and `cpu_replicas` is not 1.
    """
    if name not in ("none", "mirrored"):
        raise SettingError(f'`strategy` must be "none" or "mirrored". Received: {name!r}')
    if name == "none":
        return tf.distribute.get_strategy()
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


def prepare_replicas(strategy, model):
    """Makes `model` train under several replicas as it would under one. No-op under one replica.

    Args:
        strategy: The strategy in whose scope the model was built.
        model: A network of `pale_tf`, before its first step.
    """
    if strategy.num_replicas_in_sync > 1:
        _synchronise_batch_norm(model)
        _separate_random_states(strategy, model)


def _synchronise_batch_norm(model):
    """Lets every BatchNorm of the attentions see the whole batch, not its replica's part.

    A part of a batch has other statistics; with synchronised ones, the number of replicas does not
    change what is trained.
    """
    for layer in model.layers:
        if isinstance(layer, PSAttention):
            for projection in (layer.query, layer.key, layer.value):
                projection.norm.synchronized = True


def _separate_random_states(strategy, model):
    """Gives every replica random states of its own.

    Keras mirrors the state of a `SeedGenerator` with its value, so that all replicas would drop
    the same paths and the same units; each then advances its own copy. Replica 0 keeps its state.
    """
    for variable in model.variables:
        if variable.name == "seed_generator_state":
            for index, copy in enumerate(strategy.experimental_local_results(variable.value)):
                seed, counter = copy.numpy().tolist()
                seed = (seed + index * REPLICA_SEED_STEP) % 2**31
                copy.assign([seed, counter])
