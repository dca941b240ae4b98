"""Decoding: whatever is sent is answered as evaluation would, or refused."""

import resource

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from common.preparation import evaluation_image
from export.serving.decoding import decode_images
from tests.export.encoding import encode, hostile_images, picture


def test_whatever_is_sent_is_answered_or_refused(loaded):
    serve, sound = loaded["serve_bytes"], encode(picture(0), "JPEG")
    expected = serve(image_bytes=tf.constant([sound]))["scores"].numpy()
    cases, answered, before = hostile_images(200), 0, peak_memory()
    assert len(cases) == 200
    for case in cases:
        try:
            scores = serve(image_bytes=tf.constant([case]))["scores"].numpy()
        except tf.errors.InvalidArgumentError:
            continue
        answered += 1
        assert scores.shape == (1, 5)
        assert np.isfinite(scores).all()
    assert 10 < answered < 150
    assert peak_memory() - before < 1e9  # bytes; two of the images say to have 2.7 and 12.7 GB
    again = serve(image_bytes=tf.constant([sound]))["scores"].numpy()
    np.testing.assert_array_equal(again, expected)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_images_of_many_kinds_are_answered(loaded):
    serve = loaded["serve_bytes"]
    gray = encode(picture(0).convert("L"), "PNG")
    rgb = encode(picture(0).convert("L").convert("RGB"), "PNG")
    scores = serve(image_bytes=tf.constant([gray, rgb]))["scores"].numpy()
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    for case in hostile_images(24)[3:13]:
        assert serve(image_bytes=tf.constant([case]))["scores"].shape == (1, 5)


def test_photographs_are_turned_as_pillow_turns_them():
    files = []
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        files.append(encode(picture(value, 40, 60), "JPEG", quality=95, exif=exif))
    expected = []
    for value, file in enumerate(files, 1):
        image = Image.fromarray(tf.io.decode_jpeg(file).numpy())  # as stored
        image.getexif()[0x0112] = value
        expected.append(evaluation_image(np.asarray(ImageOps.exif_transpose(image)), 32))
    images = decode_images(tf.constant(files), 32, 1.0)
    np.testing.assert_allclose(images, np.stack(expected), atol=1e-3)


@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
def test_prepares_as_evaluation_does(crop_fraction):
    image = picture(0)
    (found,) = decode_images(tf.constant([encode(image, "PNG")]), 32, crop_fraction)
    expected = evaluation_image(np.asarray(image), 32, crop_fraction)
    np.testing.assert_allclose(found, expected, atol=1e-3)
