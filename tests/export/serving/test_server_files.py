"""The files that a server is started with."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from common.errors import SettingError, WriteError
from export.serving.clients import server_files


@pytest.fixture
def models(tmp_path):
    """A folder with a model that has a version, and one that has none."""
    (tmp_path / "pale" / "3").mkdir(parents=True)
    (tmp_path / "unfinished" / ".unfinished-1").mkdir(parents=True)
    return tmp_path


def test_lists_every_model_that_has_a_version(models):
    server_files.write_server_files(models, [1, 2])
    (models / "digits" / "1").mkdir(parents=True)
    server_files.write_server_files(models, [1, 2])
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((models / "models.config").read_text(), config)
    assert [model.name for model in config.model_config_list.config] == ["digits", "pale"]


def test_keeps_what_people_edited(models):
    server_files.write_server_files(models, [1, 2])
    (models / "docker-compose.yml").write_text("mine")
    server_files.write_server_files(models, [1, 2])
    assert (models / "docker-compose.yml").read_text() == "mine"


def test_the_server_gets_its_environment(models):
    server_files.write_server_files(models, [1, 2])
    lines = (models / "docker-compose.yml").read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("    environment:"))
    end = lines.index("    ports:")
    assert lines[start + 1 : end] == ['      TF_ONEDNN_ASSUME_FROZEN_WEIGHTS: "1"']


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(None, [1, 2, 4, 8, 16, 32]), (1, [1]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])],
)
def test_batches_are_powers_of_two_and_the_largest(models, largest, sizes):
    assert server_files.choose_batches(models, largest) == sizes


def test_all_models_of_a_server_have_the_same_batches(models):
    server_files.write_server_files(models, server_files.choose_batches(models, 6))
    assert server_files.choose_batches(models, None) == [1, 2, 4, 6]
    with pytest.raises(SettingError, match=r"argument --max-batch: .* has 6.*Received: 8"):
        server_files.choose_batches(models, 8)


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    with pytest.raises(WriteError, match="cannot write the server's files"):
        server_files.write_server_files(tmp_path / "absent", [1])
