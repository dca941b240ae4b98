"""From a recipe to what is trained: a network, its optimizer, its metrics."""

import dataclasses
import warnings

import keras
import numpy as np

from common.errors import SettingError
from pale_tf import names, rematerialize
from pale_tf.decay import layer_scales, no_weight_decay
from pale_tf.weights import load_weights
from training.distribution.strategies import prepare_replicas
from training.loop.optimizer import make_optimizer
from training.loop.trainer import Trainer


def make_trainer(
    strategy,
    recipe,
    task,
    source,
    steps_per_epoch,
    *,
    weights=None,
    rematerialized=(),
    jit=False,
    steps_per_execution=1,
):
    """Builds everything that is trained, in the scope of a strategy.

    Args:
        strategy: A `tf.distribute.Strategy`.
        recipe: The `Recipe`.
        task: The `Task`.
        source: The `Source` of the images.
        steps_per_epoch: Optimizer steps in an epoch.
        weights: Path of the weights to start from, or None.
        rematerialized: Stages to `rematerialize`.
        jit: Whether XLA compiles the step.
        steps_per_execution: Steps in one execution of TensorFlow.

    Returns:
        A compiled `Trainer` with a built optimizer, and the report of the loaded weights, or None.

    Raises:
        SettingError: If there is no such network or teacher, or the weights are not those of one.
    """
    with strategy.scope():
        network, notes = _make_network(recipe, task, source), None
        if weights is not None:
            try:
                with warnings.catch_warnings(action="ignore"):  # the notes say the same
                    notes = load_weights(network, weights)
            except ValueError as error:
                text = " ".join(str(error).split())
                raise SettingError(text.replace("`weights`", "argument --weights:")) from error
            _check_finite(network, weights)
        for layer in network.layers:
            if names.stage_of(layer.name) in recipe.freeze:
                layer.trainable = False
        if rematerialized:
            rematerialize(network, rematerialized)
        teacher = None
        if recipe.teacher is not None:
            teacher = task.make_teacher(recipe, source)
        metrics = task.make_metrics(recipe, source)
        if task.make_loss is not None:
            task = dataclasses.replace(task, loss=task.make_loss(recipe.settings))
        trainer = Trainer(network, task, metrics, recipe.accumulate, recipe.ema_decay, teacher)
        scales = None
        if recipe.layer_decay != 1:
            scales = layer_scales(network, recipe.layer_decay)
        optimizer = make_optimizer(recipe, steps_per_epoch, no_weight_decay(network), scales)
        # Not Keras' "auto": XLA on a CPU is slower than the plain graph and takes long to compile.
        trainer.compile(optimizer, jit_compile=jit, steps_per_execution=steps_per_execution)
        trainer.optimizer.build(network.trainable_variables)
    prepare_replicas(strategy, network)
    return trainer, notes


def _check_finite(network, path):
    """Raises a `SettingError` if a network has weights, loaded from `path`, that cannot train."""
    for variable in network.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise SettingError(
                f"argument --weights: {path} has values that are not finite, in {variable.path}"
            )


def _make_network(recipe, task, source):
    """The network of a recipe, or a `SettingError` that names its settings."""
    try:
        return task.make_network(recipe, source)
    except SettingError:
        raise
    except ValueError as error:
        model = recipe.model if isinstance(recipe.model, str) else recipe.model.name
        settings = f"`model` {model}"
        if recipe.attention is not None:
            settings += f" with `attention` {recipe.attention}"
        raise SettingError(f"{settings}: {' '.join(str(error).split())}") from error
