"""A network with what training needs, for Keras' `fit` and `evaluate` under any strategy."""

import keras
import tensorflow as tf


class Trainer(keras.Model):
    """Trains a network and keeps a moving average of its weights.

    A step sums gradients over micro-batches and replicas first, and only then looks for overflow,
    clips and applies them, so that neither the number of replicas nor that of micro-batches changes
    what is learned. (BatchNorm sees one micro-batch at a time.)

    What is minimized is the sum of the task's losses over what the task counts, both over all
    replicas, plus `network.losses` (of `add_loss` and of regularizers), averaged over micro-batches
    and replicas.

    Create it in the strategy's scope.

    Args:
        network: A `keras.Model` of what `task.join` gives to outputs. What `task.finish` makes of
            it is evaluated.
        task: The `training.tasks.Task`.
        metrics: List of `keras.metrics.Metric` that take targets and outputs.
        accumulate: Micro-batches in a step of a replica.
        ema_decay: Decay of the moving average of the weights, in `[0, 1)`; 0 for no average.
        teacher: `(images, targets)` to the targets that the loss is of, or None for the targets
            themselves. Metrics are of the targets themselves.

    Attributes:
        finished: The network that the run leaves; the trained one's weights are its own.
        averages: The moving averages of the weights, in the order of `averaged`; empty without.
        averaged: The variables that are averaged: weights and BatchNorm's statistics.
    """

    def __init__(self, network, task, metrics=(), accumulate=1, ema_decay=0.0, teacher=None):
        super().__init__(name="trainer")
        self.network = network
        self.finished = task.finish(network)
        self.task = task
        self.accumulate = accumulate
        self.ema_decay = ema_decay
        self.teacher = teacher
        self.loss = keras.metrics.Mean(name="loss")
        self.scores = [self.loss, *metrics]
        self.averaged = [v for v in network.variables if v.dtype == "float32"]
        self.averages = []
        if ema_decay:
            self.averages = [
                keras.Variable(variable.numpy(), trainable=False, name=f"average{index}")
                for index, variable in enumerate(self.averaged)
            ]
        self.built = True

    @property
    def metrics(self):
        return self.scores

    def call(self, images, training=None):
        return self.network(images, training=training)

    def train_step(self, data):
        """Runs one step on a replica's part of the batch.

        Args:
            data: Images `[b, H, W, 3]`, and targets, a structure of tensors `[b, …]`.

        Returns:
            Dict of the step's `loss` and `gradient_norm`, those of the whole batch.
        """
        images, targets = data
        loss, gradients = self._gradients(images, targets)
        loss, *gradients = _sum_over_replicas([loss, *gradients])
        norm = tf.linalg.global_norm(gradients) / self.optimizer.scale_loss(1.0)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        if self.averages:
            tf.distribute.get_replica_context().merge_call(self._update_averages)
        self.loss.update_state(loss)
        return {"loss": loss, "gradient_norm": norm}

    def test_step(self, data):
        """Runs one step of evaluation.

        Args:
            data: Images `[b, H, W, 3]`, targets as in training, and weights `[b]`.
        """
        images, targets, weights = data
        outputs = self.finished(images, training=False)
        losses, counts = self.task.loss(outputs, targets), self.task.count(targets)
        means = tf.math.divide_no_nan(losses, counts)
        self.loss.update_state(means, sample_weight=weights * counts)
        for score in self.scores[1:]:
            score.update_state(targets, outputs, sample_weight=weights)
        return self.get_metrics_result()

    def evaluate_next(self, batches, steps):
        """Sets the metrics to those of the next batches. Unlike Keras' `evaluate`, it goes on with
        an iterator: a new one takes longer than evaluating a small network.

        Args:
            batches: An iterator of what `test_step` takes, distributed as the strategy does.
            steps: Number of batches.
        """
        self.reset_metrics()
        for _ in range(steps):
            self._evaluate_one(batches)

    @tf.function
    def _evaluate_one(self, batches):
        step = tf.function(self.test_step, jit_compile=True) if self.jit_compile else self.test_step
        self.distribute_strategy.run(step, args=(next(batches),))

    @tf.function
    def swap_averages(self):
        """Exchanges the weights with their averages; a second call exchanges them back."""
        for average, variable in zip(self.averages, self.averaged, strict=True):
            value = tf.identity(variable.value)
            variable.assign(average.value)
            average.assign(value)

    def _gradients(self, images, targets):
        """Sums loss and gradients over micro-batches, one after the other, and scores each."""
        (count,) = _sum_over_replicas([tf.reduce_sum(self.task.count(targets))])
        count = tf.maximum(count, 1.0)  # there may be nothing to count in a batch
        variables = self.network.trainable_variables
        losses, gradients = [], []
        for x, y in self._parts(images, targets):
            # Waiting for the part before bounds the memory to that of one part.
            with tf.control_dependencies(gradients):
                aims = y if self.teacher is None else self.teacher(tf.identity(x), y)
            with tf.control_dependencies(gradients), tf.GradientTape() as tape:
                given = self.network(self.task.join(tf.identity(x), y), training=True)
                loss = tf.reduce_sum(self.task.loss(given, aims)) / count
                loss += self._additional_loss()
                scaled = self.optimizer.scale_loss(loss)
            new = tape.gradient(scaled, [variable.value for variable in variables])
            gradients = [a + b for a, b in zip(gradients, new, strict=True)] if gradients else new
            losses.append(loss)
            for score in self.scores[1:]:  # now: the outputs of a part need not be kept
                score.update_state(y, given)
        return tf.add_n(losses), gradients

    def _parts(self, images, targets):
        """Images and targets of each micro-batch."""
        flat = [tf.split(x, self.accumulate) for x in tf.nest.flatten((images, targets))]
        return [
            tf.nest.pack_sequence_as((images, targets), part) for part in zip(*flat, strict=True)
        ]

    def _additional_loss(self):
        """The share of a part in the mean of the losses that layers of the network added."""
        # A layer's is of its own dtype, and may have axes; Keras sums them as well.
        losses = [tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in self.network.losses]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return tf.add_n(losses) / (self.accumulate * replicas) if losses else 0.0

    def _update_averages(self, strategy):
        """Moves the averages towards the weights: fast at first, as TensorFlow's averages do."""
        step = tf.cast(self.optimizer.iterations.value, tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))

        def move(average, variable, decay):
            average.assign_sub((1.0 - decay) * (average - variable))

        for average, variable in zip(self.averages, self.averaged, strict=True):
            arguments = (variable.value, decay)
            strategy.extended.update(average.value, move, args=arguments, group=False)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: everything is built, and Keras' way fails with several workers (keras#20585)."""


def _sum_over_replicas(tensors):
    """Sums a list of tensors over all replicas, each by itself."""
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)
