"""Random crops and mirror images."""

import numpy as np
import tensorflow as tf

from training.data.geometry import random_mirror, random_window


def test_windows_lie_inside_and_have_areas_and_ratios_as_asked():
    draw = tf.function(lambda seed: random_window(tf.constant([200, 240, 3]), seed, 0.35))
    windows = np.array([draw(tf.constant([seed, 1])) for seed in range(300)])
    y, x, height, width = windows.T
    assert windows.min() >= 0
    assert (y + height).max() <= 200
    assert (x + width).max() <= 240
    areas, ratios = height * width / (200 * 240), width / height
    # Sizes are whole pixels: a window of 130 × 130 may be off by 1% of its area.
    assert 0.34 < areas.min() < 0.45
    assert 0.9 < areas.max() <= 1.0
    assert 0.74 < ratios.min() < 0.8
    assert 1.25 < ratios.max() < 1.35
    assert len({tuple(window) for window in windows.tolist()}) > 290


def test_a_window_is_a_function_of_its_seed():
    shape = tf.constant([50, 60, 3])
    one, again, other = (
        random_window(shape, tf.constant([seed, 1]), 0.1).numpy().tolist() for seed in (4, 4, 5)
    )
    assert one == again != other


def test_half_of_the_images_are_mirrored():
    image = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype("float32")
    mirror = tf.function(lambda seed: random_mirror(tf.constant(image), seed))
    results = [mirror(tf.constant([seed, 1])).numpy() for seed in range(200)]
    mirrored = [np.array_equal(result, image[:, ::-1]) for result in results]
    assert all(
        flipped or np.array_equal(result, image)
        for flipped, result in zip(mirrored, results, strict=True)
    )
    assert 60 < sum(mirrored) < 140
