"""The training step, against the same steps done by hand."""

import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig, pale_backbone
from training.optimizer import exclude_from_decay, make_optimizer, make_schedule
from training.recipe import load_recipe
from training.trainer import Trainer

RECIPE = dataclasses.replace(
    load_recipe("digits"), batch_size=8, base_batch_size=8, epochs=4, warmup_epochs=1
)


def small_network(classes=7):
    """A Pale Transformer with a head, small enough to be traced in seconds."""
    config = PaleConfig(
        name="small",
        embed_dim=8,
        depths=(1, 1, 1, 1),
        num_heads=(2, 2, 2, 2),
        pale_size=2,
        drop_path_rate=0.0,
    )
    backbone = pale_backbone(config, input_shape=(32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone.output["P5"])
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(backbone.input, x)


def make_trainer(recipe=RECIPE, **options):
    keras.utils.set_random_seed(0)
    trainer = Trainer(small_network(), recipe)
    optimizer = make_optimizer(recipe, steps_per_epoch=5)
    exclude_from_decay(optimizer, trainer.network.trainable_variables)
    trainer.compile(optimizer, jit_compile=False, **options)
    trainer.optimizer.build(trainer.network.trainable_variables)
    return trainer


def batches(count=3, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 255, (count, 8, 32, 32, 3)).astype("float32")
    labels = rng.dirichlet(np.ones(7) * 0.3, (count, 8)).astype("float32")
    return images, labels


def fit(trainer, images, labels):
    """Trains on each batch; returns what the steps logged."""
    steps = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(
            {name: float(value) for name, value in logs.items()}
        )
    )
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    trainer.fit(dataset, shuffle=False, verbose=0, callbacks=[record])
    return steps


def test_a_step_is_adamw_with_clipping_by_hand():
    recipe = dataclasses.replace(RECIPE, clip_norm=0.5)
    trainer = make_trainer(recipe)
    images, labels = batches(3)
    variables = trainer.network.trainable_variables
    reference = keras.models.clone_model(trainer.network)
    reference.set_weights(trainer.network.get_weights())
    schedule = make_schedule(recipe, 5)
    moments = [(np.zeros(v.shape), np.zeros(v.shape)) for v in variables]
    # Adam blows rounding errors up where a gradient is close to 0: those elements are left out.
    clear = [np.full(v.shape, True) for v in variables]
    logs = fit(trainer, images, labels)
    for step in range(3):
        with tf.GradientTape() as tape:
            probabilities = reference(images[step], training=True)
            loss = -tf.reduce_mean(tf.reduce_sum(labels[step] * tf.math.log(probabilities), axis=1))
        assert logs[step]["loss"] == pytest.approx(float(loss), rel=1e-4)
        gradients = tape.gradient(loss, [v.value for v in reference.trainable_variables])
        gradients = [gradient.numpy().astype("float64") for gradient in gradients]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        assert norm > 0.5
        assert logs[step]["gradient_norm"] == pytest.approx(norm, rel=1e-3)
        rate = float(schedule(step))
        for index, (variable, gradient) in enumerate(
            zip(reference.trainable_variables, gradients, strict=True)
        ):
            gradient = gradient * 0.5 / norm
            clear[index] &= np.abs(gradient) > 1e-4
            first = 0.9 * moments[index][0] + 0.1 * gradient
            second = 0.999 * moments[index][1] + 0.001 * gradient**2
            moments[index] = first, second
            update = first / (1 - 0.9 ** (step + 1)) * np.sqrt(1 - 0.999 ** (step + 1))
            update /= np.sqrt(second) + 1e-7  # Keras adds epsilon here
            value = variable.numpy().astype("float64")
            path = variables[index].path
            decayed = path.endswith("kernel") and "_position" not in path
            decay = recipe.weight_decay if decayed else 0.0
            variable.assign(value - rate * (update + decay * value))
    for actual, expected, mask in zip(variables, reference.trainable_variables, clear, strict=True):
        np.testing.assert_allclose(
            actual.numpy()[mask], expected.numpy()[mask], atol=2e-5, err_msg=actual.path
        )
    assert sum(mask.sum() for mask in clear) > 0.2 * sum(mask.size for mask in clear)


def test_averages_are_those_of_the_weights():
    recipe = dataclasses.replace(RECIPE, ema_decay=0.3)
    trainer = make_trainer(recipe)
    averaged = {variable.path for variable in trainer.averaged}
    assert any(path.endswith("moving_mean") for path in averaged)
    assert not any("seed" in path for path in averaged)
    expected = [variable.numpy() for variable in trainer.averaged]
    for step in range(3):
        fit(trainer, *batches(1, seed=step))
        decay = min(0.3, (2 + step) / (11 + step))
        expected = [
            decay * old + (1 - decay) * new.numpy()
            for old, new in zip(expected, trainer.averaged, strict=True)
        ]
    for actual, value in zip(trainer.averages, expected, strict=True):
        np.testing.assert_allclose(actual, value, atol=1e-6)
    weights = [variable.numpy() for variable in trainer.averaged]
    trainer.swap_averages()
    for variable, value in zip(trainer.averaged, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6)
    trainer.swap_averages()
    for variable, value in zip(trainer.averaged, weights, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_accumulation_adds_up_to_the_whole_batch():
    """Exactly so without BatchNorm, whose statistics are those of a part."""
    gradients, layers = [], []
    for parts in (1, 4):
        trainer = make_trainer(dataclasses.replace(RECIPE, accumulate=parts))
        images, labels = batches(1)
        for layer in trainer.network._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
                layers.append(layer)
        step = tf.function(lambda x, y, trainer=trainer: trainer._gradients(x, y))
        loss, found, probabilities = step(images[0], labels[0])
        gradients.append([float(loss), probabilities.numpy(), *(g.numpy() for g in found)])
    assert layers
    for one, four in zip(*gradients, strict=True):
        np.testing.assert_allclose(four, one, atol=1e-5, rtol=1e-4)


def test_evaluation_counts_by_weight():
    trainer = make_trainer()
    images = batches(2)[0]
    labels = np.random.default_rng(1).integers(0, 7, (2, 8))
    weights = np.ones((2, 8), "float32")
    weights[1, 3:] = 0
    dataset = tf.data.Dataset.from_tensor_slices((images, labels, weights))
    trainer.evaluate(dataset, verbose=0)
    actual = {name: float(value) for name, value in trainer.get_metrics_result().items()}
    counted = weights.reshape(-1) > 0
    probabilities = trainer.network(images.reshape(16, 32, 32, 3)).numpy()[counted]
    right = labels.reshape(-1)[counted]
    place = (-probabilities).argsort(axis=1).argsort(axis=1)[np.arange(11), right]
    assert actual["accuracy"] == pytest.approx((place == 0).mean())
    assert actual["top5"] == pytest.approx((place < 5).mean())
    loss = -np.log(probabilities[np.arange(11), right]).mean()
    assert actual["loss"] == pytest.approx(loss, rel=1e-5)


def test_float16_survives_an_overflow():
    """A scale at which gradients overflow is lowered; the weights wait until it fits."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trainer = make_trainer()
        trainer.optimizer.dynamic_scale.assign(2.0**40)
        before = [variable.numpy() for variable in trainer.network.trainable_variables]
        logs = fit(trainer, *batches(4))
        assert all(np.isfinite(log["loss"]) for log in logs)
        assert float(trainer.optimizer.dynamic_scale) == 2.0**36
        assert int(trainer.optimizer.iterations) == 0
        for variable, value in zip(trainer.network.trainable_variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)
        trainer.optimizer.dynamic_scale.assign(2.0**10)
        fit(trainer, *batches(2))
        assert int(trainer.optimizer.iterations) == 2
        assert float(trainer.optimizer.dynamic_scale) == 2.0**10
        dtypes = {variable.dtype for variable in trainer.optimizer.variables}
        assert dtypes <= {"float32", "int32", "int64"}
    finally:
        keras.config.set_dtype_policy("float32")


def test_learning_rate_warms_up_and_decays_to_0():
    recipe = dataclasses.replace(RECIPE, epochs=10, warmup_epochs=2, learning_rate=0.25)
    recipe = dataclasses.replace(recipe, batch_size=16, base_batch_size=8)
    schedule = make_schedule(recipe, steps_per_epoch=7)
    assert float(schedule(0)) == 0.0
    assert float(schedule(7)) == pytest.approx(0.25)
    assert float(schedule(14)) == pytest.approx(0.5)
    assert float(schedule(14 + 28)) == pytest.approx(0.25)
    assert float(schedule(70)) == pytest.approx(0.0, abs=1e-6)


def test_a_short_run_warms_up_for_half_of_it():
    recipe = dataclasses.replace(RECIPE, epochs=1, warmup_epochs=3, learning_rate=0.5)
    schedule = make_schedule(recipe, steps_per_epoch=4)
    rates = [float(schedule(step)) for step in range(5)]
    assert rates == pytest.approx([0.0, 0.25, 0.5, 0.25, 0.0], abs=1e-6)


PROGRAM = """
import dataclasses, json, sys
import keras, numpy as np, tensorflow as tf
import training.model, training.run
from tests.training.test_trainer import small_network
from training import data, strokes
from training.recipe import load_recipe
from training.run import make_trainer
from training.sources import open_source
from training.strategies import distribute, make_strategy
from training.unreadable import Unreadable

name, data_dir, precision = sys.argv[1:]
keras.config.set_dtype_policy(precision)
if name == "small":
    training.run.make_network = lambda *arguments: (small_network(10), None)
recipe = dataclasses.replace(
    load_recipe("digits"), **dict.fromkeys((*strokes.MOVES, "stroke", "drop_path_rate"), 0.0),
    clip_norm=0.5, warmup_epochs=0, precision=precision,
)
mirrored = make_strategy("mirrored", 2)
source = open_source("digits", data_dir)
ends = []
for strategy in (make_strategy("none"), mirrored):
    keras.utils.set_random_seed(0)
    stages = (1, 2, 3, 4) if strategy is mirrored else ()  # which changes no number
    trainer, _ = make_trainer(strategy, recipe, 10, 19, stages=stages)
    batches = distribute(
        strategy,
        lambda **worker: data.training_batches(source, recipe, 0, 0, Unreadable(0), **worker),
        recipe.batch_size,
    )
    trainer.fit(batches, steps_per_epoch=10, shuffle=False, verbose=0)
    variables = [*trainer.averaged, *trainer.averages]
    ends.append([variable.numpy() for variable in variables])
    scores = {key: float(value) for key, value in trainer.get_metrics_result().items()}
    ends[-1].append(np.array(list(scores.values())))
difference = max(float(np.abs(a - b).max()) for a, b in zip(*ends))
print(json.dumps([difference, mirrored.num_replicas_in_sync, scores["loss"]]))
"""


@pytest.mark.parametrize(
    ("network", "precision", "tolerance"),
    [
        ("small", "float32", 1e-5),
        pytest.param("small", "mixed_float16", 2e-3, marks=pytest.mark.slow),
        pytest.param("pale_n", "float32", 1e-5, marks=pytest.mark.slow),
    ],
)
def test_two_replicas_train_as_one_does(request, data_dir, network, precision, tolerance):
    """Ten steps at the same global batch, with clipping; no drop-path, no augmentation."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, network, str(data_dir), precision],
        capture_output=True,
        text=True,
        cwd=request.config.rootpath,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr
    difference, replicas, loss = json.loads(done.stdout.splitlines()[-1])
    print(network, precision, difference)
    assert replicas == 2
    assert loss < 2.4
    assert difference <= tolerance
