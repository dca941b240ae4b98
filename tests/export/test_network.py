"""Inference forms: outputs of a task, with or without a backbone of this project."""

import pathlib

import keras
import numpy as np
import pytest

from common.errors import SettingError
from common.trained import NO_RUN, Trained
from export.network import (
    compile_attention,
    features,
    fixed_size,
    inference_network,
    pyramid,
    served,
    served_size,
)
from export.tasks import Task
from export.tasks.classify import TASK
from pale_tf import PaleN, fuse
from tests.conftest import needs_bfloat16


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return PaleN(input_shape=(32, 32, 3), classes=3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")


@pytest.fixture(scope="module")
def toy():
    """A network without any layer of this project."""
    image = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    return keras.Model(image, x, name="toy")


def test_gives_the_tasks_outputs_and_the_pyramid(network, images):
    outputs = inference_network(network, TASK)(images)
    assert set(served(outputs)) == {"logits", "probabilities"}
    assert set(served(outputs, ("logits",))) == {"logits"}
    assert set(features(outputs)) == {"P2", "P3", "P4", "P5"}
    expected = keras.Model(network.inputs[0], pyramid(network))(images)
    for level, value in expected.items():
        np.testing.assert_allclose(outputs[level], value, atol=1e-5 * np.abs(value).max())


def test_without_a_backbone_there_is_no_pyramid(toy):
    assert pyramid(toy) == {}
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    outputs = inference_network(toy, Task())(images)
    assert set(outputs) == {"outputs"}
    np.testing.assert_allclose(outputs["outputs"], toy(images), rtol=1e-5)
    assert inference_network(toy, Task(), size=24).input_shape == (None, 24, 24, 3)


@needs_bfloat16
def test_outputs_are_in_float32_whatever_the_rest_is_in(toy):
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    outputs = inference_network(toy, Task(), dtype="bfloat16")(images)["outputs"]
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(outputs, toy(images), rtol=0.05, atol=1)


def test_what_has_no_such_form_is_an_error(network):
    with pytest.raises(SettingError, match="argument RUN: `model` must be"):
        inference_network(fuse(network), TASK)


def trained_of(*shape, **recipe):
    """A network of images of a shape, and what its run says about it."""
    image = keras.Input((*shape, 3))
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    return Trained(network, pathlib.Path("run/model.keras"), NO_RUN | recipe, [])


def test_sizes_are_the_users_the_networks_or_the_runs():
    assert fixed_size(trained_of(32, 32)) == fixed_size(trained_of(32, 32, image_size=8)) == 32
    assert fixed_size(trained_of(None, None, image_size=8)) == 8
    assert fixed_size(trained_of(32, 64, image_size=8), 16) == 16
    for unknown in (
        trained_of(32, 64),
        trained_of(None, None),
        trained_of(None, None, image_size="8"),
    ):
        with pytest.raises(SettingError, match="--size: needed"):
            fixed_size(unknown)


def test_a_server_takes_any_size_if_task_and_network_do():
    task, any_ = Task(any_size=True), trained_of(None, None, image_size=8)
    assert served_size(any_, task) is None
    assert served_size(any_, task, 16) == 16
    assert served_size(any_, Task()) == 8
    assert served_size(trained_of(32, 32), task) == 32


def test_compiled_attention_gives_the_same(network, images):
    compiled = compile_attention(network)
    names = [layer.name for layer in compiled.layers if layer.name.endswith("_xla")]
    assert len(names) == sum(layer.name.endswith("_attention") for layer in network.layers)
    np.testing.assert_allclose(compiled(images), network(images), atol=1e-5)
