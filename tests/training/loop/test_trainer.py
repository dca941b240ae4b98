"""The training step, against the same steps done by hand."""

import dataclasses
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf.layers.attention import ATTENTIONS
from tests.training.loop import additional, two_replicas
from tests.training.runs import finish
from tests.training.small import RECIPE, batches, fit, make_trainer
from training.loop.optimizer import make_schedule


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
    for parts in (1, 2):
        trainer = make_trainer(dataclasses.replace(RECIPE, accumulate=parts))
        images, labels = batches(1)
        for layer in trainer.network._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
                layers.append(layer)
        step = tf.function(lambda x, y, trainer=trainer: trainer._gradients(x, y))
        loss, found = step(images[0], labels[0])
        scores = [float(score.result()) for score in trainer.scores[1:]]
        gradients.append([float(loss), *scores, *(g.numpy() for g in found)])
    assert layers
    for one, two in zip(*gradients, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_evaluation_counts_by_weight(jit):
    trainer = make_trainer()
    trainer.jit_compile = jit
    images = batches(2)[0]
    labels = np.random.default_rng(1).integers(0, 7, (2, 8))
    targets = np.eye(7, dtype="float32")[labels]
    weights = np.ones((2, 8), "float32")
    weights[1, 3:] = 0
    dataset = tf.data.Dataset.from_tensor_slices((images, targets, weights))
    trainer.evaluate_next(iter(dataset), len(dataset))
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


@pytest.mark.parametrize("accumulate", [1, 2])
def test_losses_of_layers_are_minimized_too(accumulate):
    """Of `add_loss` and of a regularizer: a step of gradient descent, against NumPy."""
    errors = additional.errors(tf.distribute.get_strategy(), accumulate)
    assert max(errors) < 1e-6


@pytest.mark.parametrize("readable", [0, 2, 8])
def test_the_loss_is_divided_by_what_the_task_counts(readable):
    """Three for each image with a target, say; if there are none, only layers' losses remain."""
    task = dataclasses.replace(
        additional.TASK,
        loss=lambda outputs, targets: -tf.reduce_sum(targets * tf.math.log(outputs), axis=-1),
        count=lambda targets: 3.0 * tf.reduce_sum(targets, axis=-1),
    )
    images, targets = additional.make_batch()
    targets[readable:] = 0.0
    trainer = additional.make_trainer(task=task)
    probabilities = trainer.network(images).numpy()
    layers = sum(float(loss) for loss in trainer.network.losses)
    expected = -(targets * np.log(probabilities)).sum() / max(3 * readable, 1) + layers
    (logs,) = fit(trainer, images[None], targets[None])
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert all(np.isfinite(variable.numpy()).all() for variable in trainer.network.weights)


@pytest.mark.parametrize(
    ("precision", "tolerance", "cases"),
    [
        pytest.param("float32", 1e-5, ["additional losses", "mixed"], marks=pytest.mark.slow),
        pytest.param("float32", 1e-5, [*ATTENTIONS, "linear"], marks=pytest.mark.slow),
        pytest.param("float32", 1e-5, ["pale_n"], marks=pytest.mark.slow),
        pytest.param("float32", 1e-5, ["segment"], marks=pytest.mark.slow),
        pytest.param("float32", 1e-5, ["detect"], marks=pytest.mark.slow),
        pytest.param("mixed_float16", 2e-3, ["mixed"], marks=pytest.mark.slow),
    ],
    ids=["small", "each attention", "pale_n", "segment", "detect", "mixed_float16"],
)
def test_two_replicas_train_as_one_does(data_dir, precision, tolerance, cases):
    """Ten steps at the same global batch, with clipping; no drop-path, no augmentation."""
    command = [sys.executable, two_replicas.__file__, data_dir, precision]
    done = json.loads(finish(*cases, command=command).splitlines()[-1])
    assert done["replicas"] == 2
    assert done["cases"].keys() == set(cases)
    for case, (difference, moved, images) in done["cases"].items():
        print(case, precision, difference, moved, images)
        assert difference <= tolerance, case
        assert moved > 0.01, case
        # Half precision may exchange two classes that are nearly as probable.
        assert images <= (precision == "mixed_float16"), case
