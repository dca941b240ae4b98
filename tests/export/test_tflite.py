"""tflite.py: LiteRT files of every precision, run and compared with the network."""

import json

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils

from common.preparation import evaluation_image
from common.trained import in_float32
from export import tflite
from export.litert import layer_errors
from export.verification.running import lite_outputs, open_lite, run_lite

# Operations that a fixed batch makes needless, that no delegate takes, or that are not built in.
UNWANTED = ("SHAPE", "GATHER", "PACK", "SELECT", "SELECT_V2", "CUSTOM", "REDUCE_PROD")


@pytest.fixture(scope="module")
def digits(digit_files):
    """64 digits as the network gets them."""
    files = sorted(digit_files.iterdir())
    images = [tf.io.decode_png(path.read_bytes(), channels=3) for path in files]
    return np.stack([evaluation_image(image, 32) for image in images])


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [
        ("float32", 1e-5),
        pytest.param("float16", 5e-3, marks=pytest.mark.slow),
        ("dynamic", 0.1),
        ("int8", 0.2),
    ],
)
def test_gives_the_networks_numbers(make_file, network, digits, precision, tolerance):
    outputs = lite_outputs(open_lite(make_file(precision)), digits)
    expected = network.predict(digits, verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=tolerance)
    same = outputs["probabilities"].argmax(axis=1) == expected.argmax(axis=1)
    assert same.mean() >= 0.95  # after two epochs the network is undecided on some


@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("float16", marks=pytest.mark.slow), "dynamic", "int8"]
)
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


@pytest.mark.slow
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
