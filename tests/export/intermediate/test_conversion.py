"""OpenVINO's intermediate representation of small networks."""

import keras
import numpy as np
import openvino
import pytest
import tensorflow as tf

from common.errors import SettingError, WriteError
from export.intermediate import conversion
from export.tasks import Task
from tests.export.plug_in import compile_model


@pytest.fixture(scope="module")
def network():
    """Means of the channels of images of any size, and a vector that a signature leaves out."""
    images = keras.Input((None, None, 3))
    means = keras.layers.GlobalAveragePooling2D()(images)
    vector = keras.layers.Dense(5)(means)
    return keras.Model(images, {"means": means, "vector": vector})


@pytest.mark.parametrize(("batch", "first"), [(2, "2"), (None, "N")])
def test_converts_what_the_signature_gives(network, batch, first):
    task = Task(signatures={"serving_default": ("means",)})
    model = conversion.convert(network, task, batch, "float32")
    expected = f"images float32 [{first}, any, any, 3] → means float32 [{first}, 3]"
    assert conversion.describe(model) == expected
    images = np.random.default_rng(0).uniform(0, 255, (2, 4, 6, 3)).astype("float32")
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    found = compile_model(model, hint)(images)["means"]
    np.testing.assert_allclose(found, images.mean(axis=(1, 2)), rtol=1e-5)


def test_a_file_says_its_precision(network, tmp_path):
    model = conversion.convert(network, Task(), None, "bfloat16")
    conversion.write(model, tmp_path, compressed=False)
    file = tmp_path / "model.xml"
    assert conversion.hints_of(file) == {"INFERENCE_PRECISION_HINT": "bf16"}
    read = openvino.Core().read_model(file)
    assert {output.any_name for output in read.outputs} == {"means", "vector"}


def test_what_openvino_lacks_is_one_line():
    images = keras.Input((4, 4, 3))
    network = keras.Model(images, {"x": keras.layers.Lambda(tf.math.lgamma)(images)})
    with pytest.raises(SettingError, match=r"argument RUN: OpenVINO cannot read it: \w") as raised:
        conversion.convert(network, Task(), 1, "float32")
    assert "\n" not in str(raised.value)


def test_what_cannot_be_written_is_one_line(network, tmp_path):
    model = conversion.convert(network, Task(), 1, "float32")
    (tmp_path / "model.bin").mkdir()
    with pytest.raises(WriteError, match=r"cannot write /\w") as raised:
        conversion.write(model, tmp_path, compressed=False)
    assert "\n" not in str(raised.value)


def test_files_of_others_get_no_hints(tmp_path):
    (tmp_path / "model.xml").write_text("<net>")
    assert conversion.hints_of(tmp_path / "model.xml") == {}
