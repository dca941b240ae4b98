"""Photometric distortion."""

import colorsys

import numpy as np
import tensorflow as tf

from training.data.photometric import distort_colors

IMAGE = np.random.default_rng(0).uniform(30, 200, (4, 5, 3)).astype("float32")
distort = tf.function(distort_colors)


def expected(image, draws):
    """The effect of the draws, pixel by pixel, with Python's own conversion of colors."""
    chosen, amounts, early = draws[:4] < 0.5, draws[4:8], draws[8] < 0.5

    def contrast(pixel):
        return np.clip(pixel * (0.5 + amounts[1]), 0, 255) if chosen[1] else pixel

    def pixel_of(pixel):
        if chosen[0]:
            pixel = np.clip(pixel - 32 + 64 * amounts[0], 0, 255)
        pixel = contrast(pixel) if early else pixel
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel / 255)
        if chosen[2]:
            saturation = min(saturation * (0.5 + amounts[2]), 1)
        if chosen[3]:
            hue = (hue - 0.1 + 0.2 * amounts[3]) % 1
        pixel = 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value))
        return pixel if early else contrast(pixel)

    return np.array([[pixel_of(pixel) for pixel in row] for row in image.astype("float64")])


def test_equals_the_definition_for_many_seeds():
    unchanged = 0
    for seed in range(64):
        draws = tf.random.stateless_uniform((9,), [1, seed]).numpy()
        found = distort(IMAGE, tf.constant([1, seed])).numpy()
        np.testing.assert_allclose(found, expected(IMAGE, draws), atol=0.05)
        assert 0 <= found.min() <= found.max() <= 255
        unchanged += np.allclose(found, IMAGE)
    assert 0 < unchanged < 20
