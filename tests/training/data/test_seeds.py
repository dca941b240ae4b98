"""Seeds of stateless random numbers."""

import numpy as np
import tensorflow as tf

from training.data.seeds import following


def test_followers_are_the_seeds_of_later_places():
    seed = tf.constant([7, 40], tf.int64)
    assert following(seed, 3).numpy().tolist() == [7, 43]
    assert following(seed, 0).dtype == tf.int64


def test_their_numbers_have_nothing_in_common():
    seed = tf.constant([7, 40])
    draws = [
        tf.random.stateless_uniform((4000,), following(seed, count)).numpy() for count in range(4)
    ]
    correlations = np.corrcoef(draws) - np.eye(4)
    # The deviation of a correlation of 4000 independent pairs is 0.016.
    assert np.abs(correlations).max() < 0.08
