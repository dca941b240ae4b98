"""Teachers: whose they may be, and what they say."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from common.files import write_json
from common.labels import labels_text
from tests.training.small import small_network
from training.teachers import load_teacher

LABELS = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """The folder of a run with a classifier of 32×32 images, and its network."""
    folder = tmp_path_factory.mktemp("run")
    network = small_network(classes=3)
    network.save(folder / "model.keras")
    (folder / "labels.txt").write_text(labels_text(LABELS))
    return folder, network


def test_a_run_teaches_what_its_network_says(taught):
    folder, network = taught
    teach = load_teacher(str(folder), LABELS)
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(teach(images), network(images), atol=1e-6)
    larger = tf.image.resize(images, (48, 48), method="nearest")
    scaled = tf.image.resize(larger, (32, 32), antialias=True)
    np.testing.assert_allclose(teach(larger), network(scaled), atol=1e-6)


def test_no_gradient_goes_through_a_teacher(taught):
    teach = load_teacher(str(taught[0]), LABELS)
    images = tf.random.uniform((2, 32, 32, 3)) * 255
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(teach(images) ** 2)
    assert tape.gradient(loss, images) is None


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_a_network_of_keras_applications_gets_images_as_it_needs_them(name):
    """The first one takes -1..1, the second one scales images itself."""
    keras.utils.set_random_seed(0)
    teach = load_teacher(f"keras-applications:{name}", LABELS, weights=None)
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(weights=None, classes=3)
    images = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
    given = images / 127.5 - 1 if name == "MobileNetV2" else images
    np.testing.assert_allclose(teach(images), network(given), atol=1e-5)
    assert teach(images[:, :64, :64]).shape == (2, 3)


@pytest.mark.parametrize("name", ["Resnet50", "resnet50", "imagenet_utils", "", "__name__"])
def test_an_application_that_there_is_not_is_refused(name):
    with pytest.raises(SettingError, match=r"`teacher` must be keras-applications: and one of"):
        load_teacher(f"keras-applications:{name}", LABELS, weights=None)


def test_imagenets_weights_are_of_its_classes():
    message = "must have the 3 classes of the data set. .* which has 1000, ImageNet's"
    with pytest.raises(SettingError, match=message):
        load_teacher("keras-applications:MobileNetV2", LABELS)


def test_a_run_must_be_of_a_classifier_with_the_same_classes(taught, tmp_path):
    folder, network = taught
    with pytest.raises(SettingError, match=r"the data set, dog to elk\. .* ant to cat"):
        load_teacher(str(folder), ["dog", "eel", "elk"])
    with pytest.raises(SettingError, match=r"there is no model\.keras in "):
        load_teacher(str(tmp_path), LABELS)
    network.save(tmp_path / "model.keras")
    write_json(tmp_path / "config.json", {"recipe": {"task": "segment", "settings": {}}})
    with pytest.raises(SettingError, match="whose task is 'segment'"):
        load_teacher(str(tmp_path), LABELS)
