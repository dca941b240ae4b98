"""Conversion: a fixed batch, the served outputs, and metadata beside them."""

import pathlib

import keras
import numpy as np
import pytest

from common.trained import NO_RUN, Trained
from export.litert.conversion import add_metadata, convert
from export.litert.metadata import read_about
from export.network import inference_network
from export.tasks.classify import TASK
from export.verification.running import lite_outputs, open_lite
from pale_tf import PaleN


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return PaleN(input_shape=(32, 32, 3), classes=3)


@pytest.mark.slow
def test_a_fixed_batch_of_the_served_outputs(network, tmp_path):
    fused = inference_network(network, TASK)
    model = convert(fused, TASK, batch=2)
    half = convert(fused, TASK, batch=2, float16=True)
    assert len(half) < 0.6 * len(model)
    trained = Trained(network, pathlib.Path("model.keras"), NO_RUN, ["ant", "bee", "cat"])
    file = tmp_path / "model.tflite"
    file.write_bytes(add_metadata(model, trained, TASK, fused, "float32"))
    assert read_about(file) == {
        "task": "classify",
        "crop_fraction": 1.0,
        "dataset": None,
        "files": {"labels.txt": "ant\nbee\ncat\n"},
    }
    interpreter = open_lite(file)
    assert interpreter.get_input_details()[0]["shape"].tolist() == [2, 32, 32, 3]
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    outputs = lite_outputs(interpreter, images)
    assert set(outputs) == {"logits", "probabilities"}
    np.testing.assert_allclose(outputs["probabilities"], network(images), atol=1e-5)
