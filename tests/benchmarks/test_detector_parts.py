"""The parts of a detector that are timed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import detector_parts
from benchmarks.artifacts import images_of
from benchmarks.detectors import make_detector


@pytest.fixture(scope="module")
def detector():
    """Pale-N with Mask R-CNN, of five masks."""
    keras.utils.set_random_seed(1)
    return make_detector("pale_n", 64, 64, score_threshold=0.0, max_detections=5)


def test_the_parts_after_each_other_are_the_detector(detector):
    image = tf.constant(images_of(1, 64))
    expected = detector(image)
    assert expected["count"].numpy().tolist() == [5]
    known = {id(detector.inputs[0]): image, **sizes_of(detector, image)}
    for inputs, outputs in detector_parts.parts_of(detector).values():
        given = [known[id(tensor)] for tensor in tf.nest.flatten(inputs)]
        part = keras.Model(inputs, outputs)
        found = part(tf.nest.pack_sequence_as(inputs, given))
        tensors = zip(tf.nest.flatten(outputs), tf.nest.flatten(found), strict=True)
        known |= {id(tensor): value for tensor, value in tensors}
    for name, tensor in detector.output.items():
        np.testing.assert_allclose(known[id(tensor)], expected[name], atol=1e-4, err_msg=name)


def sizes_of(detector, image):
    """The sizes of the images, which no part gives."""
    layer = detector.get_layer("image_sizes")
    return {id(layer.output): layer(image)}


def test_a_part_runs_on_what_is_stored(detector):
    inputs, outputs = detector_parts.parts_of(detector)["neck"]
    part = keras.Model(inputs, outputs)
    values = [tf.random.normal((1, *x.shape[1:])) for x in inputs]
    found = detector_parts.compiled(part, values)()
    for value, expected in zip(found, part(values), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-4)
