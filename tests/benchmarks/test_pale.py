"""The forms of Pale-T that are timed, here of a small network."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import artifacts, pale
from export.verification.artifacts import describe
from pale_tf import PaleN


@pytest.fixture(scope="module")
def network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pale, "PaleT", PaleN)
        patch.setattr(pale, "SIZE", 32)
        yield pale.make_network()


def test_no_weight_is_left_at_its_first_value(network):
    """A constant 0 or 1 would be left out of the graph."""
    for weight in network.weights:
        if weight.dtype == "float32":
            assert not np.isin(weight.numpy(), (0, 1)).all(), weight.path


@pytest.mark.parametrize("write", [pale.write_saved_model, pale.write_as_trained])
def test_a_form_computes_the_network(network, write, tmp_path):
    folder = tmp_path / "model"
    write(network, folder)
    images = np.random.default_rng(1).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answers = served(images=tf.constant(images))["logits"].numpy()
    probabilities = network.predict_on_batch(images)
    if not np.allclose(answers.sum(1), 1, atol=1e-4):  # scores before the softmax
        answers = tf.nn.softmax(answers).numpy()
    np.testing.assert_allclose(answers, probabilities, rtol=1e-3, atol=1e-7)


def test_openvino_computes_the_network(network, tmp_path):
    pale.write_openvino(network, tmp_path, (2, 1))
    run = artifacts.openvino(str(tmp_path))
    for batch in (2, 1):
        probabilities = network.predict_on_batch(artifacts.images_of(batch, 32))
        found = tf.nn.softmax(run(batch)).numpy()
        np.testing.assert_allclose(found, probabilities, rtol=1e-3, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["dynamic", "int8"])
def test_lite_is_in_eight_bits(network, tmp_path, precision):
    file = tmp_path / "model.tflite"
    pale.write_lite(network, file, batch=2, precision=precision)
    described = describe(file)
    assert (described["batch"], described["precision"]) == (2, precision)


@pytest.mark.slow
def test_openvino_is_in_eight_bits(network, tmp_path):
    pale.write_openvino(network, tmp_path, (2,), "int8")
    assert describe(tmp_path / "2")["precision"] == "int8"
    expected = network.predict_on_batch(artifacts.images_of(2, 32))
    found = tf.nn.softmax(artifacts.openvino(str(tmp_path))(2)).numpy()
    assert abs(found - expected).max() > 1e-6  # what float32 keeps
    np.testing.assert_allclose(found, expected, rtol=0.1)
