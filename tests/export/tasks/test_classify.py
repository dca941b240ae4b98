"""The task of classifying: figures on outputs made by hand, labels, and lines."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from common.trained import NO_RUN, Trained
from export.network import inference_network
from export.tasks import classify
from export.tasks.classify import TASK
from pale_tf import PaleConfig, PaleN, pale_backbone, pale_network
from tests.export.encoding import encode, picture


def rng():
    return np.random.default_rng(0)


def softmax(logits):
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def network():
    return PaleN(input_shape=(32, 32, 3), classes=3)


def trained_of(network, labels=()):
    return Trained(network, pathlib.Path("run/model.keras"), NO_RUN, list(labels))


def test_takes_classifiers_with_their_labels(network):
    TASK.check(trained_of(network))
    TASK.check(trained_of(network, ["ant", "bee", "cat"]))
    with pytest.raises(SettingError, match="RUN: run has 2 labels for a network of 3 classes"):
        TASK.check(trained_of(network, ["ant", "bee"]))
    with pytest.raises(SettingError, match="RUN: must be a Pale Transformer with a classifier"):
        TASK.check(trained_of(pale_backbone("nano", (32, 32, 3))))


def test_classes_without_labels_have_numbers(network):
    assert TASK.files(trained_of(network)) == {"labels.txt": "0\n1\n2\n"}
    assert TASK.facts(trained_of(network)) == {"classes": 3}
    assert TASK.page({"labels.txt": "ant\nbee\n"}) == {"labels": ["ant", "bee"]}


@pytest.mark.parametrize("activation", ["softmax", None, "sigmoid"])
def test_outputs_and_reference_are_the_networks(activation):
    keras.utils.set_random_seed(0)
    small = PaleConfig("small", 8, (1, 1, 1, 1), (2, 2, 2, 2), pale_size=2)
    network = pale_network(
        small, input_shape=(32, 32, 3), classes=3, classifier_activation=activation
    )
    images = rng().uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    scores = network.predict(images, verbose=0)
    expected = softmax(scores) if activation is None else scores
    found = inference_network(network, TASK)(images)
    reference = TASK.reference(network, images)
    for outputs in (found, reference):
        np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-5)
    np.testing.assert_allclose(found["logits"], reference["logits"], atol=1e-5)


@pytest.fixture
def expected():
    logits = rng().normal(size=(8, 5))
    logits[0] = (0.0, 0.0, -1.0, -1.0, -1.0)  # undecided
    return {"logits": logits, "probabilities": softmax(logits)}


def test_figures(expected):
    logits = expected["logits"] + 0.02
    figures = TASK.compare({**expected, "logits": logits}, expected)
    assert figures["error"] == pytest.approx(0.02)
    assert (figures["agreement"], figures["decided"]) == (1.0, 7)
    kept = {name: value[1:] for name, value in expected.items()}
    found, spread = {"logits": kept["logits"] + 0.02}, kept["logits"].std(axis=1, keepdims=True)
    noise = np.sqrt(np.mean((0.02 / spread) ** 2))
    assert TASK.compare(found, kept)["noise"] == pytest.approx(noise)
    worse = logits.copy()
    worse[1] = -worse[1]  # another best class
    assert TASK.compare({"logits": worse}, expected)["agreement"] == pytest.approx(6 / 7)
    undecided = {name: value[:1] for name, value in expected.items()}
    assert TASK.compare(undecided, undecided)["agreement"] is None


def test_labels_and_scores_of_bytes_are_those_of_the_network(network):
    trained = trained_of(network, ["ant", "crane", "crane"])
    images = np.round(rng().uniform(0, 255, (2, 32, 32, 3))).astype("float32")
    expected = TASK.reference(network, images)
    probabilities = expected["probabilities"]
    order = np.argsort(-probabilities, axis=1)
    scores = np.take_along_axis(probabilities, order, axis=1)
    classes = np.char.encode(trained.labels)[order]
    answers = {"classes": classes, "scores": scores}
    figures = TASK.compare_answers(answers, expected, trained)
    assert figures["error"] < 1e-6
    assert figures["agreement"] == 1.0
    wrong = np.where(classes == b"ant", b"crane", b"ant")
    answers = {"classes": wrong, "scores": scores}
    assert TASK.compare_answers(answers, expected, trained)["error"] > 1e-3


def test_gives_the_best_classes_first(network):
    def run(images):
        assert images.shape[1:] == (8, 8, 3)
        return {"probabilities": np.array([[0.2, 0.5, 0.3]], "float32")}

    files = tf.constant([encode(picture(0), "PNG")])
    answer = TASK.answer(files, run, 8, trained_of(network, ["ä", "b", "c"]))
    assert answer["classes"].numpy().tolist() == [[b"b", b"c", "ä".encode()]]
    np.testing.assert_allclose(answer["scores"], [[0.5, 0.3, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("names", [np.array(["ä", "b"]), np.array(["ä".encode(), b"b"], object)])
def test_a_class_a_line(names):
    lines = classify.lines({"classes": names, "scores": np.array([0.75, 0.25])})
    assert lines == [" 75.00%  ä", " 25.00%  b"]
