"""Augmentation of images and batches."""

import numpy as np
import pytest
import tensorflow as tf

from training.data.augmentation import augment_image, make_batch_augmentation
from training.tasks.classify import Settings

MOVING = Settings(rotation=15.0, translation=0.1, zoom=0.1)
SEED = tf.constant([3, 4])
LABELS = np.eye(8, dtype="float32")


def batch(seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (8, 32, 32, 3)).astype("float32")


def change(settings, images, seed=SEED):
    augment = make_batch_augmentation(settings)
    images, labels = augment(tf.constant(images), tf.constant(LABELS), seed)
    return images.numpy(), labels.numpy()


def test_movements_treat_every_image_on_its_own():
    image = np.zeros((8, 32, 32, 3), "float32")
    image[:, 12:20, 12:20] = 200.0
    moved, _ = change(MOVING, image)
    assert len({array.tobytes() for array in moved}) == 8
    center = np.array([np.argwhere(array[..., 0] > 50).mean(0) for array in moved])
    assert 0.5 < np.abs(center - 15.5).max() < 32 * MOVING.translation * 1.5


def test_nothing_is_asked_for_and_nothing_is_done():
    images, labels = change(Settings(), batch())
    np.testing.assert_array_equal(images, batch())
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("alpha", [0.1, 0.8])
def test_mixup_mixes_images_as_it_mixes_labels(alpha):
    settings = Settings(mixup=alpha)
    images, labels = change(settings, batch())
    np.testing.assert_allclose(images, np.tensordot(labels, batch(), 1), atol=1e-3)
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
    shares = np.concatenate(
        [change(settings, batch(), tf.constant([seed, 0]))[1].max(1) for seed in range(30)]
    )
    assert (shares.mean() > 0.9) == (alpha == 0.1)  # Beta(0.1, 0.1) is near 0 or 1


def test_cutmix_replaces_a_rectangle_and_that_part_of_the_label():
    images, labels = change(Settings(cutmix=1.0), batch())
    source = batch()
    for index in range(8):
        kept = (images[index] == source[index]).all(-1)
        others = [j for j in range(8) if j != index and labels[index, j] > 0]
        for other in others:
            rows, columns = np.nonzero(~kept)
            if len(rows):
                box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
                assert not kept[box].any()
                np.testing.assert_array_equal(images[index][box], source[other][box])
        assert labels[index, index] == pytest.approx(kept.mean(), abs=0.08)


def test_of_mixup_and_cutmix_each_batch_takes_one():
    settings = Settings(mixup=1.0, cutmix=1.0)
    mixed = []
    for seed in range(40):
        images, labels = change(settings, batch(), tf.constant([seed, 0]))
        mixed.append(np.abs(images - np.tensordot(labels, batch(), 1)).max() < 0.01)
    assert 8 < sum(mixed) < 32


def test_erasing_puts_noise_into_a_rectangle_of_so_many_images():
    settings = Settings(erasing=0.25)
    image = tf.constant(batch()[0])
    augment = tf.function(lambda seed: augment_image(image, seed, settings))
    shares, noise = [], []
    for seed in range(400):
        result = augment(tf.constant([seed, 0])).numpy()
        assert 0 <= result.min() <= result.max() <= 255
        where = (result != image.numpy()).any(-1)
        if where.any():
            rows, columns = np.nonzero(where)
            box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert where[box].all()
            shares.append(where.mean())
            noise.append(result[box].reshape(-1, 3))
    assert 70 < len(shares) < 130
    assert 0.01 < min(shares) < 0.06
    assert 0.28 < max(shares) < 0.37
    np.testing.assert_allclose(np.concatenate(noise).mean(0), (123.7, 116.3, 103.5), atol=3)
