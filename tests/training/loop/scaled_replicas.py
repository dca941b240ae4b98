"""Run by the tests of the optimizer: scaled rates on two replicas, and on one."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[3])

import keras
import numpy as np
import tensorflow as tf

from training.loop.optimizer import AdamW


def run(strategy):
    """Two variables after two steps, of which the second one has a tenth of the learning rate."""
    with strategy.scope():
        variables = [keras.Variable(np.ones(3, "float32"), name=name) for name in ("a", "b")]
        scales = {id(variables[0]): 1.0, id(variables[1]): 0.1}
        optimizer = AdamW(0.1, weight_decay=0.5, scales=scales)
        optimizer.build(variables)

    def step():
        optimizer.apply([tf.constant([1.0, -2.0, 0.0])] * 2, variables)

    for _ in range(2):
        tf.function(strategy.run)(step)
    return [variable.numpy() for variable in variables]


if __name__ == "__main__":
    devices = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        devices[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    one = run(tf.distribute.get_strategy())
    two = run(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    np.testing.assert_allclose(two, one, rtol=1e-6)
    # Without a gradient, there is the decay alone.
    np.testing.assert_allclose([one[0][2], one[1][2]], [0.95**2, 0.995**2], rtol=1e-6)
