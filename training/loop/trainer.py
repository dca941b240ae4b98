"""A network with what training needs, for Keras' `fit` and `evaluate` under any strategy."""

import keras
import tensorflow as tf

TOP = 5


class Trainer(keras.Model):
    """Trains a network and keeps a moving average of its weights.

    A step sums gradients over micro-batches and replicas first, and only then looks for overflow,
    clips and applies them, so that neither the number of replicas nor that of micro-batches changes
    what is learnt. (BatchNorm sees one micro-batch at a time.)

    Create it in the strategy's scope.

    Args:
        network: A `keras.Model` of images to probabilities, in float32.
        recipe: A `Recipe`.

    Attributes:
        averages: The moving averages of the weights, in the order of `averaged`; empty without.
        averaged: The variables that are averaged: weights and BatchNorm's statistics.
    """

    def __init__(self, network, recipe):
        super().__init__(name="trainer")
        self.network = network
        self.recipe = recipe
        self.loss = keras.metrics.Mean(name="loss")
        self.accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        self.scores = [self.loss, self.accuracy]
        classes = network.output_shape[-1]
        if classes > TOP:
            self.scores.append(keras.metrics.TopKCategoricalAccuracy(TOP, name=f"top{TOP}"))
        self.averaged = [v for v in network.variables if v.dtype == "float32"]
        self.averages = []
        if recipe.ema_decay:
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
        """One step on a replica's part of the batch.

        Args:
            data: Images `[b, S, S, 3]`, and labels `[b, classes]`, a distribution each.

        Returns:
            Dict of the step's `loss` and `gradient_norm`, those of the whole batch.
        """
        images, labels = data
        loss, gradients, probabilities = self._gradients(images, labels)
        context = tf.distribute.get_replica_context()
        loss, *gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, [loss, *gradients])
        norm = tf.linalg.global_norm(gradients) / self.optimizer.scale_loss(1.0)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        if self.averages:
            context.merge_call(self._update_averages)
        self.loss.update_state(loss)
        for score in self.scores[1:]:
            score.update_state(labels, probabilities)
        return {"loss": loss, "gradient_norm": norm}

    def test_step(self, data):
        """One step of evaluation.

        Args:
            data: Images `[b, S, S, 3]`, integer labels `[b]` and weights `[b]`.
        """
        images, labels, weights = data
        probabilities = self.network(images, training=False)
        labels = tf.one_hot(labels, probabilities.shape[-1])
        losses = keras.losses.categorical_crossentropy(labels, probabilities)
        self.loss.update_state(losses, sample_weight=weights)
        for score in self.scores[1:]:
            score.update_state(labels, probabilities, sample_weight=weights)
        return self.get_metrics_result()

    def swap_averages(self):
        """Exchanges the weights with their averages; a second call exchanges them back."""
        for average, variable in zip(self.averages, self.averaged, strict=True):
            value = variable.numpy()
            variable.assign(average.numpy())
            average.assign(value)

    def _gradients(self, images, labels):
        """Sums loss and gradients over micro-batches, one after the other."""
        parts = self.recipe.accumulate
        variables = self.network.trainable_variables
        losses, gradients, probabilities = [], [], []
        for x, y in zip(tf.split(images, parts), tf.split(labels, parts), strict=True):
            # Waiting for the part before bounds the memory to that of one part.
            with tf.control_dependencies(gradients), tf.GradientTape() as tape:
                scores = self.network(tf.identity(x), training=True)
                loss = tf.reduce_sum(keras.losses.categorical_crossentropy(y, scores))
                loss /= self.recipe.batch_size
                scaled = self.optimizer.scale_loss(loss)
            new = tape.gradient(scaled, [variable.value for variable in variables])
            gradients = [a + b for a, b in zip(gradients, new, strict=True)] if gradients else new
            losses.append(loss)
            probabilities.append(scores)
        return tf.add_n(losses), gradients, tf.concat(probabilities, axis=0)

    def _update_averages(self, strategy):
        """Moves the averages towards the weights: fast at first, as TensorFlow's averages do."""
        step = tf.cast(self.optimizer.iterations.value, tf.float32)
        decay = tf.minimum(self.recipe.ema_decay, (1.0 + step) / (10.0 + step))

        def move(average, variable, decay):
            average.assign_sub((1.0 - decay) * (average - variable))

        for average, variable in zip(self.averages, self.averaged, strict=True):
            arguments = (variable.value, decay)
            strategy.extended.update(average.value, move, args=arguments, group=False)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: everything is built, and Keras' way fails with several workers (keras#20585)."""
