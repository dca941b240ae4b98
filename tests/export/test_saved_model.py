"""saved_model.py: what lies in a version folder, and what comes out of it."""

import hashlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from common.preparation import evaluation_image
from common.trained import load_trained
from export import saved_model
from export.network import inference_network
from export.serving.signatures import make_signatures
from pale_tf import PaleN
from tests.export.encoding import encode, hostile_images, picture

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported[0])).signatures


def test_scores_are_the_networks(loaded, network, images):
    outputs = loaded["serving_default"](images=tf.constant(images))
    expected = network.predict(images, verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-5)
    logits = outputs["logits"].numpy().astype("float64")
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, expected, atol=1e-5)


def test_xla_gives_the_same(loaded, images):
    plain = loaded["serving_default"](images=tf.constant(images[:3]))
    compiled = loaded["serving_xla"](images=tf.constant(images[:3]))
    for key, value in plain.items():
        np.testing.assert_allclose(compiled[key], value, atol=1e-4)


def test_features_are_those_of_the_stages(loaded, network, images):
    outputs = loaded["features"](images=tf.constant(images[:2]))
    last = {"P2": "stage1_block1", "P3": "stage2_block1", "P4": "stage3_block4"}
    last["P5"] = "stage4_block1"
    stages = {level: network.get_layer(f"{name}_add2").output for level, name in last.items()}
    expected = keras.Model(network.inputs[0], stages).predict(images[:2], verbose=0)
    assert set(outputs) == set(expected)
    for level, value in expected.items():
        np.testing.assert_allclose(outputs[level], value, atol=1e-5 * abs(value).max())


def test_bytes_are_decoded_as_in_evaluation(loaded, network, run):
    files = [encode(picture(seed, 41, 67), form) for seed in range(2) for form in ("PNG", "JPEG")]
    outputs = loaded["serve_bytes"](image_bytes=tf.constant(files))
    decoded = [tf.io.decode_image(file, channels=3) for file in files]
    batch = np.stack([evaluation_image(image, 32) for image in decoded])
    expected = network.predict(batch, verbose=0)
    labels = np.array((run / "labels.txt").read_text().splitlines())
    order = np.argsort(-expected, axis=1)[:, :5]
    best = np.take_along_axis(expected, order, axis=1)
    np.testing.assert_allclose(outputs["scores"], best, atol=1e-5)
    assert outputs["classes"].numpy().astype(str).tolist() == labels[order].tolist()


def test_one_signature_alone_must_be_compiled(loaded):
    assert {name: must_compile(function) for name, function in loaded.items()} == {
        "serving_default": False,
        "serve_bytes": False,
        "features": False,
        "serving_xla": True,
    }


def must_compile(function):
    """Whether XLA has to compile any function that can be reached from `function`."""
    graph = function.graph.as_graph_def()
    definitions = {definition.signature.name: definition for definition in graph.library.function}
    seen, waiting = set(), list(graph.node)
    found = function.function_def.attr["_XlaMustCompile"].b
    while waiting:
        node = waiting.pop()
        found |= node.attr["_XlaMustCompile"].b
        for attribute in node.attr.values():
            for name in [attribute.func.name, *(item.name for item in attribute.list.func)]:
                if name in definitions and name not in seen:
                    seen.add(name)
                    waiting += definitions[name].node_def
    return found or any(definitions[name].attr["_XlaMustCompile"].b for name in seen)


def test_the_whole_network_or_nothing_is_compiled_on_demand(run, images):
    trained = load_trained(run)
    net = inference_network(trained.network)
    plain = make_signatures(net, trained.labels, 1.0, "off")
    assert "serving_xla" not in plain
    whole = make_signatures(net, trained.labels, 1.0, "model")["serving_xla"]
    assert whole.function_def.attr["_XlaMustCompile"].b
    expected = plain["serving_default"](tf.constant(images[:2]))
    for key, value in whole(tf.constant(images[:2])).items():
        np.testing.assert_allclose(value, expected[key], atol=1e-4)


def test_whatever_is_sent_is_answered_or_refused(loaded):
    serve, sound = loaded["serve_bytes"], encode(picture(0), "JPEG")
    expected = serve(image_bytes=tf.constant([sound]))["scores"].numpy()
    cases, answered, before = hostile_images(200), 0, peak_memory()
    assert len(cases) == 200
    for case in cases:
        try:
            scores = serve(image_bytes=tf.constant([case]))["scores"].numpy()
        except tf.errors.InvalidArgumentError:
            continue
        answered += 1
        assert scores.shape == (1, 5)
        assert np.isfinite(scores).all()
    assert 10 < answered < 150
    assert peak_memory() - before < 1e9  # bytes; two of the images say to have 2.7 and 12.7 GB
    again = serve(image_bytes=tf.constant([sound]))["scores"].numpy()
    np.testing.assert_array_equal(again, expected)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_images_of_many_kinds_are_answered(loaded):
    serve = loaded["serve_bytes"]
    grey = encode(picture(0).convert("L"), "PNG")
    rgb = encode(picture(0).convert("L").convert("RGB"), "PNG")
    scores = serve(image_bytes=tf.constant([grey, rgb]))["scores"].numpy()
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    for case in hostile_images(24)[3:13]:
        assert serve(image_bytes=tf.constant([case]))["scores"].shape == (1, 5)


def test_warm_up_requests_replay(exported, loaded):
    path = exported[0] / "assets.extra" / "tf_serving_warmup_requests"
    assert path.stat().st_size < 10_000
    seen = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "digits"
        signature = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(t)) for key, t in request.inputs.items()}
        outputs = loaded[signature](**inputs)
        (batch,) = {value.shape[0] for value in outputs.values()}
        seen.append((signature, batch))
    names = ("serving_default", "serve_bytes", "features")
    assert sorted(seen) == sorted((name, batch) for name in names for batch in (1, 2, 4, 6))


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


def test_the_servers_files_parse(exported):
    models = exported[0].parents[1]
    config = text_format.Parse(
        (models / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("digits", "/models/digits")
    batching = parse((models / "batching_parameters.txt").read_text(), "BatchingParameters")
    assert list(batching.allowed_batch_sizes) == [1, 2, 4, 6]
    assert batching.max_batch_size.value == 6  # the server asks for the last allowed size
    monitoring = parse((models / "monitoring.config").read_text(), "MonitoringConfig")
    assert monitoring.prometheus_config.enable
    compose = (models / "docker-compose.yml").read_text()
    for name in ("models.config", "batching_parameters.txt", "monitoring.config"):
        assert f"/models/{name}" in compose


def test_the_card_tells_origin_scores_and_checksums(exported, run):
    version, _ = exported
    extra = version / "assets.extra"
    card = json.loads((extra / "model_card.json").read_text())
    assert card["origin"]["seed"] == 3
    assert card["origin"]["recipe"]["dataset"] == "digits"
    digest = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
    assert card["origin"]["sha256"] == digest
    assert card["test_scores"] == json.loads((run / "metrics.json").read_text())
    for name, file in card["files"].items():
        content = (version / name).read_bytes()
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    assert {"saved_model.pb", "assets.extra/labels.txt"} <= set(card["files"])
    assert card["verification"]["missed"] == []
    page = (extra / "model_card.md").read_text()
    assert digest in page
    assert str(card["test_scores"]["test_accuracy"]) in page


def test_the_program_says_what_it_did(exported):
    version, done = exported
    assert "serving_default" in done.stdout
    assert f"{version}  version 1 of digits" in done.stdout


def export_command(run, out):
    command = [sys.executable, ROOT / "export" / "saved_model.py", run, "--out", out]
    return [*map(str, command), "--xla", "off"]


@pytest.mark.slow
def test_two_exports_at_once_and_a_killed_one_leave_whole_versions(run, tmp_path):
    out = tmp_path / "models" / "digits"
    doomed = subprocess.Popen(export_command(run, out), stderr=subprocess.DEVNULL)
    while not list(out.glob(".unfinished-*/variables")):  # in the middle of writing
        assert doomed.poll() is None
        time.sleep(0.01)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    assert not list(out.glob("[0-9]*"))
    pair = [subprocess.Popen(export_command(run, out), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in pair] == [0, 0]
    assert sorted(path.name for path in out.glob("[0-9]*")) == ["1", "2"]
    for version in ("1", "2"):
        tf.saved_model.load(str(out / version))
        assert (out / version / "assets.extra" / "model_card.json").exists()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda run, _: [run / "nothing"], "there is no"),
        (lambda run, tmp: [broken(tmp)], "cannot load"),
        (lambda run, tmp: [headless(tmp)], "must be a Pale Transformer with a classifier"),
        (lambda run, tmp: [broad(tmp)], "argument --size: needed"),
        (lambda run, _: [run, "--images", ROOT / "docs" / "nothing"], "--images: there is no"),
        (lambda run, _: [run, "--images", ROOT / "training"], "--images: there is no .png"),
        (lambda run, _: [run, "--max-batch", "0"], "--max-batch"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(run, tmp_path, capsys, prepare, message):
    out = tmp_path / "models" / "digits"
    with pytest.raises(SystemExit) as stopped:
        saved_model.main([*map(str, prepare(run, tmp_path)), "--out", str(out)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists() or not os.listdir(out)


def broken(folder):
    path = folder / "broken.keras"
    path.write_text("nothing")
    return path


def broad(folder):
    path = folder / "broad.keras"
    PaleN(input_shape=(32, 64, 3), classes=2).save(path)
    return path


def headless(folder):
    path = folder / "headless.keras"
    PaleN(include_top=False, pooling="avg").save(path)
    return path


def test_bfloat16_is_smaller_as_good_and_floats_outside(program, run, network, images, tmp_path):
    done = program(
        *("export/saved_model.py", run, "--out", tmp_path / "models" / "digits"),
        *("--precision", "bfloat16"),
    )
    assert done.returncode == 0, done.stderr
    assert "bfloat16" in done.stdout
    version = tmp_path / "models" / "digits" / "1"
    signatures = tf.saved_model.load(str(version)).signatures
    outputs = signatures["serving_default"](images=tf.constant(images))
    expected = network.predict(images, verbose=0)
    assert outputs["probabilities"].dtype == tf.float32
    found = outputs["probabilities"].numpy()
    assert 0 < abs(found - expected).max() < 0.05  # other numbers, and near
    levels = signatures["features"](images=tf.constant(images[:1]))
    assert {level.dtype for level in levels.values()} == {tf.float32}
    weights = (version / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert weights < 0.55 * 4 * network.count_params()
