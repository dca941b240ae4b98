"""The files that a server is started with."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

from common.errors import SettingError, WriteError
from export.serving import server_files


def make_version(folder, file):
    folder.mkdir(parents=True)
    (folder / file).touch()


@pytest.fixture
def models(tmp_path):
    """A folder with a model that has a version, one that has none, and one for another server."""
    make_version(tmp_path / "pale" / "3", "saved_model.pb")
    make_version(tmp_path / "other" / "1", "model.xml")
    (tmp_path / "unfinished" / ".unfinished-1").mkdir(parents=True)
    return tmp_path


def test_lists_every_model_that_has_a_version(models):
    server_files.write_server_files(models, [1, 2])
    make_version(models / "digits" / "1", "saved_model.pb")
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
    assert server_files.choose_batches(models, largest, 32) == sizes


def test_all_models_of_a_server_have_the_same_batches(models):
    server_files.write_server_files(models, server_files.choose_batches(models, 6, 32))
    assert server_files.choose_batches(models, None, 32) == [1, 2, 4, 6]
    with pytest.raises(SettingError, match=r"argument --max-batch: .* has 6.*Received: 8"):
        server_files.choose_batches(models, 8, 32)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("max_batch_size: { value: 6 }", [1, 2, 4, 6]),
        ("# ours\nmax_batch_size {\n  value: 6\n}\nnum_batch_threads { value: 9 }", [1, 2, 4, 6]),
    ],
)
def test_batching_parameters_may_be_edited(models, text, sizes):
    (models / "batching_parameters.txt").write_text(text)
    assert server_files.choose_batches(models, None, 32) == sizes


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"max_batch_size { value: 0 }", b"max_batch_size { value: many }", b"\xff\xfe\0"),
        *(b"# max_batch_size { value: 8 }", b"max_batch_size { value: 99999999999 }"),
    ],
)
def test_batching_parameters_without_a_batch_are_one_error(models, content):
    (models / "batching_parameters.txt").write_bytes(content)
    with pytest.raises(SettingError, match=r"argument --out: .*txt has no max_batch_size"):
        server_files.choose_batches(models, None, 32)


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    with pytest.raises(WriteError, match="cannot write the server's files"):
        server_files.write_server_files(tmp_path / "absent", [1])


# The server's own definitions: tensorflow_serving/servables/tensorflow/session_bundle_config.proto
# and tensorflow_serving/config/monitoring_config.proto. The client's package lacks them.
FIELD = descriptor_pb2.FieldDescriptorProto


PROTOS = {
    "Int64Value": [("value", 1, FIELD.TYPE_INT64, None, False)],
    "BatchingParameters": [
        ("max_batch_size", 1, FIELD.TYPE_MESSAGE, ".server.Int64Value", False),
        ("batch_timeout_micros", 2, FIELD.TYPE_MESSAGE, ".server.Int64Value", False),
        ("max_enqueued_batches", 3, FIELD.TYPE_MESSAGE, ".server.Int64Value", False),
        ("allowed_batch_sizes", 6, FIELD.TYPE_INT64, None, True),
    ],
    "PrometheusConfig": [
        ("enable", 1, FIELD.TYPE_BOOL, None, False),
        ("path", 2, FIELD.TYPE_STRING, None, False),
    ],
    "MonitoringConfig": [
        ("prometheus_config", 1, FIELD.TYPE_MESSAGE, ".server.PrometheusConfig", False)
    ],
}


def parse(text, name):
    """Parses protobuf text as a message of `PROTOS`."""
    file = descriptor_pb2.FileDescriptorProto(name="server.proto", package="server")
    for message, fields in PROTOS.items():
        described = file.message_type.add(name=message)
        for field, number, kind, of, repeated in fields:
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            described.field.add(name=field, number=number, type=kind, type_name=of, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    described = pool.FindMessageTypeByName(f"server.{name}")
    return text_format.Parse(text, message_factory.GetMessageClass(described)())


def test_the_servers_files_parse(models):
    server_files.write_server_files(models, [1, 2, 4, 6])
    config = text_format.Parse(
        (models / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("pale", "/models/pale")
    batching = parse((models / "batching_parameters.txt").read_text(), "BatchingParameters")
    assert list(batching.allowed_batch_sizes) == [1, 2, 4, 6]
    assert batching.max_batch_size.value == 6  # the server asks for the last allowed size
    monitoring = parse((models / "monitoring.config").read_text(), "MonitoringConfig")
    assert monitoring.prometheus_config.enable
    compose = (models / "docker-compose.yml").read_text()
    for name in ("models.config", "batching_parameters.txt", "monitoring.config"):
        assert f"/models/{name}" in compose
