"""A detector as SavedModel and LiteRT file: boxes in images of any size, by every way to ask."""

import contextlib
import io
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils
from PIL import Image
from sklearn.datasets import load_sample_image
from tensorflow_serving.apis import prediction_log_pb2

from common.errors import SettingError
from common.trained import in_float32, load_trained
from export import client, saved_model, tflite
from export.litert import conversion
from export.litert.metadata import read_about
from export.litert.quantization import quantize_dynamic
from export.network import inference_network
from export.serving.clients import RefusedError
from export.tasks.detect import TASK
from export.verification.artifacts import operation_names
from export.verification.comparison import missed_bounds
from export.verification.running import lite_outputs, open_lite
from tests.conftest import needs_bfloat16
from tests.export.conftest import PROTOCOLS
from tests.export.detectors import LABELS, SIZE
from tests.export.encoding import encode, picture, with_size
from tests.export.segmenters import photographs
from tests.export.server import Model
from tests.export.written import written
from tests.hostile.images import make_images

OUTPUTS = {"boxes", "scores", "classes", "count", "masks"}
ODD = [(61, 97), (64, 40), (1, 1), (3, 200)]


@pytest.fixture(scope="module")
def trained(detector_run):
    return load_trained(detector_run)


@pytest.fixture(scope="module")
def version(trained, tmp_path_factory):
    return written(trained, tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="module")
def model(version):
    """The SavedModel behind a server."""
    return Model(version, "photographs")


def figures_of(found, expected):
    """The figures of outputs; nothing counts as being too close to the lowest score."""
    found, expected = (
        {name: np.asarray(value) for name, value in outputs.items() if name in OUTPUTS}
        for outputs in (found, expected)
    )
    assert found.keys() == OUTPUTS
    return TASK.compare(found, expected | {"lowest": np.zeros(len(expected["count"]))})


def assert_same(figures):
    assert figures["matched"] == 1.0
    assert figures["box"] < 0.1
    assert max(figures["score"], figures["mask"]) < 1e-3


@pytest.mark.parametrize("size", ODD)
def test_images_of_any_size(model, detector, size):
    image = tf.constant(photographs(1, *size))
    found = model.signatures["serving_default"](images=image)
    assert found["boxes"].shape == (1, 20, 4)
    assert_same(figures_of(found, detector(image)))


@pytest.mark.slow
def test_bytes_are_answered_in_pixels_of_their_image(model, trained, detector):
    images = [photographs(1, *size)[0].astype("uint8") for size in ODD]
    files = tf.constant([encode(Image.fromarray(image), "PNG") for image in images])
    answer = model.signatures["serve_bytes"](image_bytes=files)
    assert answer["labels"].numpy().astype(str).tolist() == [LABELS] * 4
    expected = TASK.reference_answers(TASK, detector, images, trained)
    assert_same(figures_of(answer, expected))
    for boxes, (height, width) in zip(answer["boxes"].numpy(), ODD, strict=True):
        assert boxes.min() >= 0
        assert boxes[:, 2].max() <= width
        assert boxes[:, 3].max() <= height


def test_hostile_bytes_are_refused_and_cheap_ones_answered(model):
    serve = model.signatures["serve_bytes"]
    sound = encode(picture(0), "JPEG")
    hostile = [b"", b"nothing", sound[:300], with_size(encode(picture(0), "PNG"), 30_000, 30_000)]
    for content in hostile:
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve(image_bytes=tf.constant([sound, content]))
    assert serve(image_bytes=tf.constant([], tf.string))["boxes"].shape == (0, 20, 4)
    large = encode(Image.new("L", (2100, 1000), 255), "PNG")
    assert serve(image_bytes=tf.constant([large]))["count"].shape == (1,)


@pytest.mark.slow
def test_200_hostile_images_are_answered_or_refused(model):
    answered = 0
    for _, content in itertools.islice(make_images(17), 200):
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            found = model.signatures["serve_bytes"](image_bytes=tf.constant([content]))
            answer = {name: value.numpy()[0] for name, value in found.items()}
            assert TASK.lines(answer)
            assert TASK.pictures(answer, content)
            answered += 1
    assert 0 < answered < 200


def test_warm_up_requests_replay(version, model):
    seen = set()
    for record in tf.data.TFRecordDataset(str(version / "warmup")):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(t)) for key, t in request.inputs.items()}
        outputs = model.signatures[name](**inputs)
        (batch,) = {value.shape[0] for value in outputs.values()}
        seen.add((name, batch))
    names = ("serving_default", "serve_bytes", "features")
    assert seen == {(name, batch) for name in names for batch in (1, 2)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_client_prints_objects_and_draws_them(protocol, model, tmp_path, capsys):
    serve, _ = PROTOCOLS[protocol]
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, size in zip(paths, ODD[:2], strict=True):
        photo = photographs(1, *size)[0].astype("uint8")
        path.write_bytes(encode(Image.fromarray(photo), "PNG"))
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing")
    out = tmp_path / "new" / "folder"
    flags = ["--model", "photographs", "--task", "detect", "--protocol", protocol]
    with serve(model) as host, pytest.raises(SystemExit) as stopped:
        client.main([*flags, "--host", host, "--out", str(out), *map(str, [*paths, bad])])
    assert stopped.value.code == RefusedError.exit_code
    output = capsys.readouterr()
    assert "must be a JPEG or a PNG" in output.err
    assert {path.name for path in out.iterdir()} == {"a-objects.png", "b-objects.png"}
    printed = output.out.splitlines()
    for path in paths:
        files = tf.constant([path.read_bytes()])
        answer = model.signatures["serve_bytes"](image_bytes=files)
        answer = {name: value.numpy()[0] for name, value in answer.items()}
        start = printed.index(str(path)) + 1
        assert [line.strip() for line in printed[start : start + 20]] == [
            line.strip() for line in TASK.lines(answer)
        ]
        drawn = Image.open(out / f"{path.stem}-objects.png")
        expected = Image.open(io.BytesIO(TASK.pictures(answer, path.read_bytes())["-objects.png"]))
        np.testing.assert_array_equal(drawn, expected)


def converted(trained, size):
    """The inference form for images of a size, and its LiteRT file's contents."""
    network = inference_network(trained.network, TASK, size)
    return network, conversion.convert(network, TASK, batch=1)


@pytest.fixture(scope="module")
def lite(trained):
    """A LiteRT file as export writes it, without its verification."""
    network, model = converted(trained, SIZE)
    return conversion.add_metadata(model, trained, TASK, network, "float32")


def test_a_lite_file_gives_all_outputs(lite, detector, tmp_path):
    images = photographs(3, SIZE)
    outputs = lite_outputs(open_lite(lite), images)
    shapes = {name: (value.shape, value.dtype.name) for name, value in outputs.items()}
    assert shapes == {
        "boxes": ((3, 20, 4), "float32"),
        "scores": ((3, 20), "float32"),
        "classes": ((3, 20), "int32"),
        "count": ((3,), "int32"),
        "masks": ((3, 20, 28, 28), "float32"),
    }
    assert_same(figures_of(outputs, detector(images)))
    (tmp_path / "model.tflite").write_bytes(lite)
    about = read_about(tmp_path / "model.tflite")
    assert (about["task"], about["files"]["labels.txt"].split()) == ("detect", LABELS)


def test_a_lite_file_has_built_in_operations_alone_and_small_ranks(lite):
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(lite))
    assert {"WHILE", "TOPK_V2"} <= set(operation_names(model))
    assert "CUSTOM" not in operation_names(model)
    assert not any(code.customCode for code in model.operatorCodes)
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    assert max(len(tensor.shape) for tensor in tensors if tensor.shape is not None) <= 4


@pytest.mark.slow
def test_weights_in_eight_bits_find_the_same_objects(lite, detector):
    small = quantize_dynamic(lite)
    assert len(small) < 0.9 * len(lite)
    images = photographs(3, SIZE)
    figures = figures_of(lite_outputs(open_lite(small), images), detector(images))
    assert figures["matched"] > 0.7
    assert figures["score"] > 1e-4  # they are eight bits


def test_eight_bits_for_activations_are_refused_before_any_work(detector_run, tmp_path):
    with pytest.raises(SettingError, match="argument --precision: the task detect has no int8"):
        tflite.export(detector_run / "model.keras", tmp_path / "x.tflite", precision="int8")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_size_can_be_fixed(trained, tmp_path):
    signatures = tf.saved_model.load(str(written(trained, tmp_path, SIZE))).signatures
    (spec,) = signatures["serving_default"].structured_input_signature[1].values()
    assert spec.shape.as_list() == [None, SIZE, SIZE, 3]
    images = [photographs(1, *size)[0].astype("uint8") for size in ODD]
    files = tf.constant([encode(Image.fromarray(image), "PNG") for image in images])
    found = signatures["serve_bytes"](image_bytes=files)
    exact = in_float32(trained.network, SIZE)
    assert_same(figures_of(found, TASK.reference_answers(TASK, exact, images, trained)))


def scenes(size, count=50):
    """Parts of photographs of all scales, cut where nothing was cut before: float32."""
    rng = np.random.default_rng(size)
    parts = []
    for index in range(count):
        image = load_sample_image(("china.jpg", "flower.jpg")[index % 2])
        side = int(rng.integers(size // 2, min(image.shape[:2]) + 1))
        y, x = (int(rng.integers(extent - side + 1)) for extent in image.shape[:2])
        part = Image.fromarray(image[y : y + side, x : x + side]).resize((size, size))
        parts.append(np.asarray(part))
    return np.stack(parts).astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 96])
def test_50_scenes_as_the_network_sees_them(model, trained, detector, size):
    """The bounds of float32, by the SavedModel and by the LiteRT file."""
    images = scenes(size)
    expected = TASK.reference(in_float32(trained.network, size), images)
    serve = model.signatures["serving_default"]
    parts = [serve(images=part) for part in tf.split(tf.constant(images), 10)]
    served = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _, content = converted(trained, size)
    for found in (served, lite_outputs(open_lite(content), images)):
        figures = TASK.compare(found, expected)
        print(size, figures)
        assert not missed_bounds(figures, TASK, "float32")
        assert figures.keys() == {"objects", "matched", "box", "score", "mask"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--xla", "attention"),
        ("--xla", "model", "--size", "64"),
        pytest.param(("--precision", "bfloat16", "--xla", "off"), marks=needs_bfloat16),
    ],
    ids=" ".join,
)
def test_the_program_verifies_what_it_exports(detector_run, flags, tmp_path, capsys):
    saved_model.main([str(detector_run), "--out", str(tmp_path / "models" / "photographs"), *flags])
    printed = capsys.readouterr().out
    assert "matched" in printed
    assert "export/client.py --model photographs --task detect IMAGE…" in printed
    extra = tmp_path / "models" / "photographs" / "1" / "assets.extra"
    assert (extra / "labels.txt").read_text().split() == LABELS
    card = json.loads((extra / "model_card.json").read_text())
    figures = card["verification"]["signatures"]
    names = {"serving_default", "serve_bytes", "features"}
    assert set(figures) == (names if "off" in flags else names | {"serving_xla"})
    bounds = TASK.bounds["bfloat16" if "bfloat16" in flags else "float32"]
    for name in figures.keys() - {"features"}:
        assert figures[name]["matched"] >= bounds["matched"]
    assert "- `serve_bytes`: objects " in (extra / "model_card.md").read_text()
