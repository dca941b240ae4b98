"""The files that OpenVINO Model Server is started with."""

import json

import openvino
import pytest
from openvino import opset13

from export.intermediate import conversion, model_server_files
from export.verification.running import OPENVINO_PRECISION


def write_model(folder, precision):
    folder.mkdir(parents=True)
    parameter = opset13.parameter([1, 2, 2, 3])
    model = openvino.Model([opset13.relu(parameter)], [parameter])
    model.set_rt_info(precision, OPENVINO_PRECISION)
    conversion.write(model, folder, compressed=False)


@pytest.fixture
def models(tmp_path):
    """A model with versions in two precisions, another one, and those of others."""
    write_model(tmp_path / "pale" / "2", "float32")
    write_model(tmp_path / "pale" / "10", "bfloat16")
    write_model(tmp_path / "digits" / "1", "float16")
    (tmp_path / "foreign" / "1").mkdir(parents=True)
    (tmp_path / "foreign" / "1" / "model.xml").write_text("<net>")
    (tmp_path / "other" / "1").mkdir(parents=True)
    (tmp_path / "other" / "1" / "saved_model.pb").touch()
    (tmp_path / "unfinished" / ".unfinished-1").mkdir(parents=True)
    return tmp_path


def test_lists_the_models_that_are_for_it_with_their_precision(models):
    model_server_files.write_model_server_files(models)
    config = json.loads((models / "config.json").read_text())
    listed = [model["config"] for model in config["model_config_list"]]
    assert [(model["name"], model["base_path"], model["plugin_config"]) for model in listed] == [
        ("digits", "/models/digits", {"INFERENCE_PRECISION_HINT": "f32"}),
        ("foreign", "/models/foreign", {}),
        ("pale", "/models/pale", {"INFERENCE_PRECISION_HINT": "bf16"}),
    ]


def test_keeps_what_people_edited(models):
    model_server_files.write_model_server_files(models)
    assert "--config_path=/models/config.json" in (models / "openvino-compose.yml").read_text()
    (models / "openvino-compose.yml").write_text("mine")
    model_server_files.write_model_server_files(models)
    assert (models / "openvino-compose.yml").read_text() == "mine"
