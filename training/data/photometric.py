"""Photometric distortion: brightness, contrast, saturation and hue, drawn at random."""

import tensorflow as tf

BRIGHTNESS = 32.0  # largest shift, of 255
CONTRAST = SATURATION = (0.5, 1.5)  # factors
HUE = 18 / 180  # largest shift, of a turn: 18 steps of hues in bytes, of which OpenCV has 180


def distort_colors(image, seed):
    """Changes the colors of an image as SSD does (Liu et al. 2016, section 2.2; mmsegmentation's
    `PhotoMetricDistortion`): brightness, contrast, saturation and hue, each in half of the images,
    the contrast as the second or as the last one.

    Args:
        image: float32 `[H, W, 3]`, values in 0..255.
        seed: Integer tensor `[2]`.

    Returns:
        float32 `[H, W, 3]`, values in 0..255.
    """
    draws = tf.random.stateless_uniform((9,), seed)
    chosen, amounts, early = draws[:4] < 0.5, draws[4:8], draws[8] < 0.5

    def between(low_and_high, draw):
        low, high = low_and_high
        return low + draw * (high - low)

    def contrast(image, when):
        factor = tf.where(chosen[1] & when, between(CONTRAST, amounts[1]), 1.0)
        return tf.clip_by_value(image * factor, 0.0, 255.0)

    shift = tf.where(chosen[0], between((-BRIGHTNESS, BRIGHTNESS), amounts[0]), 0.0)
    image = contrast(tf.clip_by_value(image + shift, 0.0, 255.0), early)
    saturation = tf.where(chosen[2], between(SATURATION, amounts[2]), 1.0)
    turn = tf.where(chosen[3], between((-HUE, HUE), amounts[3]), 0.0)
    image = tf.cond(
        chosen[2] | chosen[3], lambda: _saturate_and_turn(image, saturation, turn), lambda: image
    )
    return contrast(image, ~early)


def _saturate_and_turn(image, saturation, turn):
    hue, amount, value = tf.unstack(tf.image.rgb_to_hsv(image / 255.0), axis=-1)
    amount = tf.clip_by_value(amount * saturation, 0.0, 1.0)
    return 255.0 * tf.image.hsv_to_rgb(
        tf.stack([tf.math.floormod(hue + turn, 1.0), amount, value], -1)
    )
