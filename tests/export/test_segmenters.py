"""A segmenter as SavedModel and LiteRT file: classes of images of any size, by every way to ask."""

import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from common.overlays import overlay, palette
from common.preparation import fitted_image
from common.trained import load_trained
from export import client, saved_model
from export.litert import conversion
from export.litert.metadata import read_about
from export.network import inference_network
from export.serving.clients import RefusedError
from export.tasks.segment import TASK
from export.verification.running import lite_outputs, open_lite, run_lite
from tests.export.conftest import PROTOCOLS
from tests.export.encoding import encode, picture, with_size
from tests.export.segmenters import LABELS, SIZE, photographs
from tests.export.server import Model
from tests.export.written import written

ODD = [(97, 161), (321, 500), (1, 1), (3, 200)]


@pytest.fixture(scope="module")
def trained(segmenter_run):
    return load_trained(segmenter_run)


@pytest.fixture(scope="module")
def version(trained, tmp_path_factory):
    return written(trained, tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="module")
def model(version):
    """The SavedModel behind a server."""
    return Model(version, "photographs")


@pytest.fixture(scope="module")
def signatures(model):
    return model.signatures


def expected_map(network, image):
    """The result of evaluation for a whole image: the best class of each pixel."""
    return network(np.asarray(image, "float32")[None]).numpy()[0].argmax(axis=-1)


def agreement(found, expected):
    assert found.shape == expected.shape
    return (np.asarray(found) == expected).mean()


def mask_in(answer, place=0):
    return Image.open(io.BytesIO(answer["mask_bytes"].numpy()[place]))


@pytest.mark.parametrize("size", ODD)
def test_classes_of_images_of_any_size(signatures, segmenter, size):
    image = photographs(1, *size)
    classes = signatures["serving_default"](images=tf.constant(image))["classes"]
    assert (classes.shape, classes.dtype) == ((1, *size), tf.uint8)
    assert agreement(classes[0], expected_map(segmenter, image[0])) > 0.999
    scores = signatures["scores"](images=tf.constant(image))
    assert scores["logits"].shape == (1, -(-size[0] // 4), -(-size[1] // 4), 4)
    np.testing.assert_allclose(scores["probabilities"], segmenter(image), atol=1e-3)


def test_bytes_are_answered_as_evaluation_does(signatures, segmenter):
    images = [Image.fromarray(photographs(1, *size)[0].astype("uint8")) for size in ODD]
    answer = signatures["serve_bytes"](image_bytes=tf.constant([encode(i, "PNG") for i in images]))
    assert answer["labels"].numpy().astype(str).tolist() == [LABELS] * 4
    for place, image in enumerate(images):
        mask = mask_in(answer, place)
        assert mask.mode == "L"
        assert agreement(np.asarray(mask), expected_map(segmenter, image)) > 0.999


def test_hostile_bytes_are_refused_and_cheap_ones_answered(signatures):
    serve = signatures["serve_bytes"]
    sound = encode(picture(0), "JPEG")
    hostile = [b"", b"nothing", sound[:300], with_size(encode(picture(0), "PNG"), 30_000, 30_000)]
    for content in hostile:
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve(image_bytes=tf.constant([sound, content]))
    assert serve(image_bytes=tf.constant([], tf.string))["mask_bytes"].shape == (0,)
    large = encode(Image.new("L", (2100, 1000), 255), "PNG")  # the network gets half of the pixels
    assert mask_in(serve(image_bytes=tf.constant([large]))).size == (2100, 1000)


def test_warm_up_requests_replay(version, signatures):
    seen = set()
    for record in tf.data.TFRecordDataset(str(version / "warmup")):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(t)) for key, t in request.inputs.items()}
        outputs = signatures[name](**inputs)
        (batch,) = {value.shape[0] for value in outputs.values()}
        if name == "serving_default":
            assert outputs["classes"].shape == (batch, SIZE, SIZE)
        seen.add((name, batch))
    names = ("serving_default", "scores", "serve_bytes", "features")
    assert seen == {(name, batch) for name in names for batch in (1, 2)}


@pytest.mark.slow
def test_a_size_can_be_fixed(trained, segmenter, tmp_path):
    signatures = tf.saved_model.load(str(written(trained, tmp_path, 32))).signatures
    (spec,) = signatures["serving_default"].structured_input_signature[1].values()
    assert spec.shape.as_list() == [None, 32, 32, 3]
    image = photographs(1, 48, 80)[0].astype("uint8")
    files = tf.constant([encode(Image.fromarray(image), "PNG")])
    found = np.asarray(mask_in(signatures["serve_bytes"](image_bytes=files)))
    scores = segmenter(fitted_image(image, 32)[None])[0, :19]
    expected = tf.image.resize(scores, (48, 80)).numpy().argmax(axis=-1)
    assert agreement(found, expected) > 0.999


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_client_prints_shares_and_writes_pictures(protocol, model, tmp_path, capsys):
    serve, _ = PROTOCOLS[protocol]
    images = {"a": (97, 161), "b": (40, 30)}
    paths = [tmp_path / f"{name}.png" for name in images]
    for path, size in zip(paths, images.values(), strict=True):
        photo = photographs(1, *size)[0].astype("uint8")
        path.write_bytes(encode(Image.fromarray(photo), "PNG"))
    out = tmp_path / "new" / "folder"
    with serve(model) as host:
        flags = ["--model", "photographs", "--task", "segment", "--protocol", protocol]
        client.main([*flags, "--host", host, "--out", str(out), *map(str, paths)])
    names = {f"{stem}-{name}.png" for stem in images for name in ("mask", "overlay")}
    assert {path.name for path in out.iterdir()} == names
    printed = capsys.readouterr().out.splitlines()
    assert str(paths[0]) in printed
    for path in paths:
        photo = Image.open(path)
        mask = Image.open(out / f"{path.stem}-mask.png")
        classes = np.asarray(mask)
        files = tf.constant([path.read_bytes()])
        answer = model.signatures["serve_bytes"](image_bytes=files)
        np.testing.assert_array_equal(classes, mask_in(answer))
        np.testing.assert_array_equal(mask.convert("RGB"), palette(4)[classes])
        shown = np.asarray(Image.open(out / f"{path.stem}-overlay.png"))
        np.testing.assert_array_equal(shown, overlay(np.asarray(photo), classes, LABELS))
        share, name = printed[printed.index(str(path)) + 1].split()
        best = np.bincount(classes.ravel()).argmax()
        assert (name, share) == (LABELS[best], f"{(classes == best).mean():.2%}")


def test_a_refused_image_has_no_pictures(model, tmp_path, capsys):
    paths = [tmp_path / "good.png", tmp_path / "bad.png"]
    paths[0].write_bytes(encode(picture(0), "PNG"))
    paths[1].write_bytes(b"nothing")
    serve, _ = PROTOCOLS["grpc"]
    flags = ["--model", "photographs", "--task", "segment", "--out", str(tmp_path / "out")]
    with serve(model) as host, pytest.raises(SystemExit) as stopped:
        client.main([*flags, "--host", host, *map(str, paths)])
    assert stopped.value.code == RefusedError.exit_code
    assert "must be a JPEG or a PNG" in capsys.readouterr().err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"good-mask.png", "good-overlay.png"}


@pytest.fixture(scope="module")
def lite(trained, tmp_path_factory):
    """A LiteRT file as export writes it, without its verification."""
    network = inference_network(trained.network, TASK, SIZE)
    model = conversion.convert(network, TASK, batch=1)
    path = tmp_path_factory.mktemp("lite") / "model.tflite"
    path.write_bytes(conversion.add_metadata(model, trained, TASK, network, "float32"))
    return path


def test_a_lite_file_gives_classes_and_logits(lite, segmenter):
    images = photographs(3, SIZE)
    outputs = lite_outputs(open_lite(lite), images)
    shapes = {name: (value.shape, value.dtype) for name, value in outputs.items()}
    quarter = SIZE // 4
    assert shapes == {
        "classes": ((3, SIZE, SIZE), np.uint8),
        "logits": ((3, quarter, quarter, 4), np.float32),
    }
    expected = segmenter(images).numpy().argmax(axis=-1)
    assert agreement(outputs["classes"], expected) > 0.999
    assert read_about(lite)["files"]["labels.txt"].split() == LABELS


def test_a_lite_file_is_one_partition_of_built_in_operations(lite):
    _, report = run_lite(lite, np.zeros((1, SIZE, SIZE, 3), "float32"))
    (figures,) = report.values()
    assert figures["partitions"] == 1  # the arg-max and its cast come after it
    assert figures["kinds"]["ARG_MAX"] == figures["kinds"]["CAST"] == 1
    assert not {"SHAPE", "GATHER", "PACK", "SELECT_V2", "CUSTOM"} & set(figures["kinds"])
    model = flatbuffer_utils.read_model(str(lite))
    assert max(len(tensor.shape) for tensor in model.subgraphs[0].tensors) <= 4


@pytest.mark.slow
def test_the_program_verifies_what_it_exports(segmenter_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(segmenter_run, run)
    config = json.loads((run / "config.json").read_text())
    config["recipe"]["settings"]["short_side"] = 80
    (run / "config.json").write_text(json.dumps(config))
    saved_model.main([str(run), "--out", str(tmp_path / "models" / "photographs")])
    printed = capsys.readouterr().out
    assert "agreement" in printed
    assert "export/client.py --model photographs --task segment IMAGE…" in printed
    extra = tmp_path / "models" / "photographs" / "1" / "assets.extra"
    assert (extra / "labels.txt").read_text().split() == LABELS
    card = json.loads((extra / "model_card.json").read_text())
    figures = card["verification"]["signatures"]
    names = {"serving_default", "scores", "serve_bytes", "features", "serving_xla"}
    assert set(figures) == names
    for name in names - {"features"}:
        assert figures[name]["agreement"] >= 0.9999
    assert figures["scores"]["error"] < 1e-4
    page = (extra / "model_card.md").read_text()
    assert "- `scores`: error " in page
    assert "- `serve_bytes`: agreement 100" in page
