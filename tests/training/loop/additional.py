"""A network whose layers add to the loss, and one step of gradient descent on it by hand."""

import keras
import numpy as np
import tensorflow as tf

from training.distribution.strategies import prepare_replicas
from training.loop.trainer import Trainer
from training.tasks import Task

ACTIVITY, REGULARIZATION, RATE = 0.3, 0.2, 0.5
TASK = Task(
    make_transforms=None,
    make_network=None,
    loss=lambda outputs, targets: keras.losses.categorical_crossentropy(targets, outputs),
)


class Descent(keras.optimizers.SGD):
    """Gradient descent with gradients that are already summed over the replicas."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)


class Activity(keras.layers.Layer):
    """Adds `ACTIVITY` times the mean square of its inputs to the loss."""

    def call(self, inputs):
        self.add_loss(ACTIVITY * keras.ops.mean(inputs**2))
        return inputs


def make_trainer(accumulate=1, task=TASK):
    """A compiled `Trainer` of one dense layer, its kernel regularized, with `Activity` after it."""
    keras.utils.set_random_seed(0)
    images = keras.Input((2, 2, 3))
    x = keras.layers.Flatten()(images)
    regularizer = keras.regularizers.L2(REGULARIZATION)
    x = keras.layers.Dense(3, kernel_regularizer=regularizer, name="head")(x)
    network = keras.Model(images, keras.layers.Softmax()(Activity()(x)))
    trainer = Trainer(network, task, accumulate=accumulate)
    trainer.compile(Descent(RATE, name="descent"), jit_compile=False)
    trainer.optimizer.build(network.trainable_variables)
    return trainer


def make_batch():
    """Eight images `[8, 2, 2, 3]`, and one-hot targets `[8, 3]`."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (8, 2, 2, 3)).astype("float32")
    return images, np.eye(3, dtype="float32")[rng.integers(0, 3, 8)]


def step_by_hand(kernel, bias, images, targets):
    """One step in float64.

    Returns:
        The loss before it, the norm of the gradient, and kernel and bias after it.
    """
    x = images.reshape(len(images), -1).astype("float64")
    logits = x @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loss = -(targets * np.log(probabilities)).sum(1).mean()
    loss += ACTIVITY * (logits**2).mean() + REGULARIZATION * (kernel**2).sum()
    to_logits = (probabilities - targets) / len(x) + ACTIVITY * 2 * logits / logits.size
    gradients = x.T @ to_logits + REGULARIZATION * 2 * kernel, to_logits.sum(0)
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    return loss, norm, kernel - RATE * gradients[0], bias - RATE * gradients[1]


def errors(strategy, accumulate):
    """Largest differences of loss, gradient norm, kernel and bias from those by hand, in a step."""
    images, targets = make_batch()
    with strategy.scope():
        trainer = make_trainer(accumulate)
    before = [variable.numpy().astype("float64") for variable in trainer.network.weights]
    replicas = strategy.num_replicas_in_sync
    logged = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: logged.append(logs))
    data = tf.data.Dataset.from_tensor_slices((images, targets)).batch(8 // replicas)
    data = strategy.distribute_datasets_from_function(lambda _: data)
    trainer.fit(data, steps_per_epoch=1, verbose=0, callbacks=[record])
    (logs,) = logged
    actual = [logs["loss"], logs["gradient_norm"], *trainer.network.weights]
    expected = step_by_hand(*before, images, targets)
    return [float(np.abs(a - e).max()) for a, e in zip(actual, expected, strict=True)]


def errors_around_batch_norm(strategy):
    """Largest difference of each replica's losses before and after a synchronized BatchNorm.

    Replicas wait for each other there, in the middle of the network.
    """
    images, _ = make_batch()
    x = images.reshape(8, -1)
    normalized = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    parts = [np.split(part, 2) for part in (x, normalized)]
    expected = [
        [ACTIVITY * (half**2).mean() for half in halves] for halves in parts
    ]  # [2, replica]
    with strategy.scope():
        inputs = keras.Input((12,))
        norm = keras.layers.BatchNormalization(epsilon=1e-3, synchronized=True)
        network = keras.Model(inputs, Activity()(norm(Activity()(inputs))))
    prepare_replicas(strategy, network)

    def losses(part):
        network(part, training=True)
        return tf.stack(network.losses)

    halves = tf.data.Dataset.from_tensor_slices(x).batch(4)
    data = iter(strategy.distribute_datasets_from_function(lambda _: halves))
    found = tf.function(lambda batch: strategy.run(losses, (batch,)))(next(data))
    found = np.stack(strategy.experimental_local_results(found), axis=1)
    return float(np.abs(found - expected).max())
