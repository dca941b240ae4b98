"""A cure for Keras 3 under `tf.distribute.MultiWorkerMirroredStrategy` (keras#20585).

Two things of its `fit` fail there. It looks at a first batch to build the model, for which it
reduces over workers what cannot be: `Trainer` is built and leaves that out. And it reduces what a
step returns, scalars, over an axis that they do not have: that is replaced here.
"""

import tensorflow as tf
from keras.src.backend.tensorflow import trainer as keras_trainer


def adapt_keras():
    """Makes Keras take a step's outputs from this worker's first replica.

    `Trainer` returns what was summed over all replicas already, or what Keras itself replaces by
    its metrics, so there is nothing left to reduce, nor to communicate.
    """
    keras_trainer.reduce_per_replica = _first_local_value


def _first_local_value(values, strategy, reduction):
    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], values
    )
