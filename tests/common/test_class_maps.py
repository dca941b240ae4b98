"""Whole images to a network and scores back, against resizing them all at once."""

import numpy as np
import pytest
import tensorflow as tf

from common import class_maps
from common.class_maps import best_class, network_image, resized_classes
from common.preparation import fitted_image, whole_image


@pytest.mark.parametrize("strip", [1, 5000, 2**24])
@pytest.mark.parametrize("size", [(97, 161), (161, 97), (40, 30), (13, 9), (1, 1)])
def test_scores_are_resized_strip_by_strip(size, strip, monkeypatch):
    monkeypatch.setattr(class_maps, "STRIP", strip)
    scores = np.random.default_rng(0).uniform(size=(40, 30, 5)).astype("float32")
    found = tf.function(resized_classes)(scores, tf.constant(size))
    expected = tf.image.resize(scores, size).numpy().argmax(axis=-1)
    assert (found.shape, found.dtype) == (size, tf.uint8)
    assert (found.numpy() == expected).mean() > 0.9999


def test_scores_of_the_size_stay_as_they_are():
    scores = np.random.default_rng(0).uniform(size=(40, 30, 300)).astype("float32")
    found = resized_classes(tf.constant(scores), tf.constant((40, 30)))
    assert found.dtype == tf.int32  # more classes than a byte tells apart
    np.testing.assert_array_equal(found, scores.argmax(axis=-1))
    assert best_class(scores[..., :256]).dtype == tf.uint8


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_network_gets_the_whole_image_or_a_square(orientation):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    given, region = network_image(image, None, 20, orientation)
    np.testing.assert_array_equal(given, whole_image(image, 20, orientation))
    assert tuple(region.numpy()) == given.shape[:2]
    given, region = network_image(image, 30, 20, orientation)
    np.testing.assert_array_equal(given, fitted_image(image, 30, orientation))
    assert tuple(region.numpy()) == ((20, 30) if orientation == 1 else (30, 20))
