"""tflite.py: LiteRT files of every precision, run and compared with the network."""

import json
import zipfile

import flatbuffers.table
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils

from common.preparation import evaluation_image
from common.trained import in_float32
from export import tflite
from export.litert import layer_errors, quantization
from export.verification import comparison
from export.verification.reload import lite_outputs, open_lite, run_lite

# What a fixed batch makes needless, what no delegate takes, and what is not built in.
UNWANTED = ("SHAPE", "GATHER", "PACK", "SELECT", "SELECT_V2", "CUSTOM", "REDUCE_PROD")


@pytest.fixture(scope="module")
def make_file(run, tmp_path_factory):
    """Makes a LiteRT file of a precision, once."""
    folder = tmp_path_factory.mktemp("lite")

    def make(precision, *flags):
        path = folder / f"{'-'.join([precision, *flags])}.tflite"
        if not path.exists():
            tflite.main([str(run), "--precision", precision, "--out", str(path), *flags])
        return path

    return make


@pytest.fixture(scope="module")
def digits(digit_files):
    """64 digits as the network gets them."""
    files = sorted(digit_files.iterdir())
    images = [tf.io.decode_png(path.read_bytes(), channels=3) for path in files]
    return np.stack([evaluation_image(image, 32) for image in images])


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("float32", 1e-5), ("float16", 5e-3), ("dynamic", 0.1), ("int8", 0.2)],
)
def test_gives_the_networks_numbers(make_file, network, digits, precision, tolerance):
    outputs = lite_outputs(open_lite(make_file(precision)), digits)
    expected = network.predict(digits, verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=tolerance)
    same = outputs["probabilities"].argmax(axis=1) == expected.argmax(axis=1)
    assert same.mean() >= 0.95  # after two epochs the network is undecided on some


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8"])
def test_is_one_partition_of_built_in_operations(make_file, precision):
    path = make_file(precision)
    _, report = run_lite(path, np.zeros((1, 32, 32, 3), "float32"))
    (figures,) = report.values()
    assert figures["partitions"] == 1
    assert not set(UNWANTED) & set(figures["kinds"])
    model = flatbuffer_utils.read_model(str(path))
    assert max(len(tensor.shape) for tensor in model.subgraphs[0].tensors) <= 4


def test_lower_precision_is_smaller(make_file):
    sizes = {name: make_file(name).stat().st_size for name in tflite.PRECISIONS}
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["dynamic"] < 0.5 * sizes["float32"]
    assert sizes["int8"] < 0.5 * sizes["float32"]


def test_another_batch_and_another_size(make_file, network, digits):
    interpreter = open_lite(make_file("float32", "--batch", "3", "--size", "48"))
    assert interpreter.get_input_details()[0]["shape"].tolist() == [3, 48, 48, 3]
    images = tf.image.resize(digits[:7], (48, 48)).numpy()
    expected = in_float32(network, 48).predict(images, verbose=0)
    outputs = lite_outputs(interpreter, images)["probabilities"]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_eight_bits_come_with_a_report_of_every_layer(make_file):
    path = make_file("int8")
    report = json.loads(path.with_suffix(".layers.json").read_text())
    model = flatbuffer_utils.read_model(str(path))
    names = [
        flatbuffer_utils.opcode_to_name(model, o.opcodeIndex) for o in model.subgraphs[0].operators
    ]
    count = sum(name in layer_errors.LAYERS for name in names)
    assert len(report["layers"]) == count
    errors = [layer["error"] for layer in report["layers"]]
    assert errors == sorted(errors, reverse=True)
    assert all(0 < error < 1 for error in errors)
    in_float = sum(layer["float"] for layer in report["layers"])
    assert in_float == report["attempts"][-1]["layers_in_float"]


def test_eight_bits_need_real_images(run, tmp_path, capsys):
    alone = tmp_path / "model.keras"
    alone.write_bytes((run / "model.keras").read_bytes())
    with pytest.raises(SystemExit) as stopped:
        tflite.main([str(alone), "--precision", "int8", "--out", str(tmp_path / "x.tflite")])
    assert stopped.value.code == 2
    assert "--images: int8 needs images" in capsys.readouterr().err
    assert not (tmp_path / "x.tflite").exists()


def test_labels_and_normalisation_are_in_the_file(make_file, run):
    path = make_file("float32")
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode() == (run / "labels.txt").read_text()
    model = flatbuffer_utils.read_model(str(path))
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    content = bytes(bytearray(model.buffers[entry.buffer].data))
    assert content[4:8] == b"M001"
    root = Table(content, int.from_bytes(content[:4], "little"))
    assert root.text(0) == "pale_n"
    (graph,) = root.tables(3)
    (image,) = graph.tables(2)
    options = image.tables(4)[0].table(1)  # of the one process unit: normalisation
    assert (options.floats(0), options.floats(1)) == ([0.0], [1.0])
    assert (image.table(5).floats(0), image.table(5).floats(1)) == ([255.0], [0.0])
    scores = graph.tables(3)
    assert [score.text(0) for score in scores] == ["logits", "probabilities"]
    assert all(score.tables(6)[0].text(0) == "labels.txt" for score in scores)


class Table:
    """A table of a flat buffer, read by the slots of metadata_schema.fbs."""

    def __init__(self, content, place):
        self.content, self.inner = content, flatbuffers.table.Table(content, place)

    def _at(self, slot):
        offset = self.inner.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is empty"
        return offset

    def text(self, slot):
        return self.inner.String(self.inner.Pos + self._at(slot)).decode()

    def table(self, slot):
        return Table(self.content, self.inner.Indirect(self.inner.Pos + self._at(slot)))

    def tables(self, slot):
        start, count = self.inner.Vector(self._at(slot)), self.inner.VectorLen(self._at(slot))
        places = range(start, start + 4 * count, 4)
        return [Table(self.content, self.inner.Indirect(place)) for place in places]

    def floats(self, slot):
        start, count = self.inner.Vector(self._at(slot)), self.inner.VectorLen(self._at(slot))
        return np.frombuffer(self.content, "<f4", count, start).tolist()


def test_layers_without_a_bias_have_errors_too():
    """The converter drops a bias of zeros, which an untrained network is full of."""
    weights = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")

    @tf.function(input_signature=[tf.TensorSpec((1, 2, 2, 3), name="images")])
    def serve(images):
        return {"logits": tf.reshape(images, (1, 12)) @ weights}

    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], tf.Module()
    ).convert()
    images = np.random.default_rng(1).uniform(0, 255, (4, 2, 2, 3)).astype("float32")
    calibration = quantization.calibrate(model, images)
    quantized = quantization.apply_static(model, calibration, in_float=())
    (error,) = layer_errors.layer_errors(model, quantized, images).values()
    assert 1e-4 < error < 0.05


def test_layers_with_the_largest_errors_stay_in_float_until_the_bounds_hold(monkeypatch):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=size).astype("float32") for size in ((12, 8), (8, 8), (8, 5))]

    @tf.function(input_signature=[tf.TensorSpec((1, 2, 2, 3), name="images")])
    def serve(images):
        x = tf.reshape(images, (1, 12))
        for matrix in weights:
            x = tf.sin(x @ matrix)
        return {"logits": x, "probabilities": tf.nn.softmax(x)}

    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], tf.Module()
    ).convert()
    images = rng.uniform(0, 1, (8, 2, 2, 3)).astype("float32")
    monkeypatch.setitem(comparison.BOUNDS, "int8", {"error": 1e-5})  # eight bits cannot hold it
    quantized, report = quantization.quantize_static(model, images)
    assert [attempt["layers_in_float"] for attempt in report["attempts"]] == [0, 1, 2, 3]
    errors = [attempt["error"] for attempt in report["attempts"]]
    assert errors[-1] < 1e-5 < errors[0]
    assert all(layer["float"] for layer in report["layers"])
    outputs = lite_outputs(open_lite(quantized), images)
    np.testing.assert_allclose(outputs["logits"], serve_all(serve, images), atol=1e-5)


def serve_all(serve, images):
    return np.concatenate([serve(image[None])["logits"] for image in images])
