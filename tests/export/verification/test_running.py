"""Artifacts made by hand, run on images."""

import numpy as np
import openvino
import pytest
import tensorflow as tf
from openvino import opset13

from export.verification import running


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3)).astype("float32")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A SavedModel with a signature of images and one of files."""

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 3), name="images")])
    def sums(images):
        return {"sums": tf.reduce_sum(images, axis=(1, 2))}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="files")])
    def names(files):
        def first(file):
            return tf.io.decode_png(file)[0, 0, 0]

        return {
            "names": tf.strings.as_string(tf.map_fn(first, files, fn_output_signature=tf.uint8))
        }

    folder = tmp_path_factory.mktemp("saved")
    tf.saved_model.save(tf.Module(), folder, {"serving_default": sums, "serve_bytes": names})
    return folder


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    """A LiteRT file that takes two images at once."""

    @tf.function(input_signature=[tf.TensorSpec((2, 4, 4, 3), name="images")])
    def sums(images):
        return {"sums": tf.reduce_sum(images, axis=(1, 2))}

    function = sums.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    file = tmp_path_factory.mktemp("lite") / "model.tflite"
    file.write_bytes(converter.convert())
    return file


def test_runs_every_signature_of_a_saved_model(saved, images):
    outputs, report = running.run(str(saved), images)
    np.testing.assert_allclose(outputs["serving_default/sums"], images.sum(axis=(1, 2)))
    expected = [str(int(image[0, 0, 0])).encode() for image in images]
    assert outputs["serve_bytes/names"].tolist() == expected
    assert report["serving_default"]["operations"] > 0
    assert report["serving_default"]["milliseconds"] > 0


def test_files_are_of_several_sizes():
    images = np.arange(10 * 16 * 16 * 3).reshape(10, 16, 16, 3)
    parts = running.cut(images)
    assert parts[0].shape == parts[8].shape == (16, 16, 3)
    assert parts[5].shape == (11, 9, 3)
    assert len({part.shape for part in parts}) == 8
    for part, image in zip(parts, images, strict=True):
        np.testing.assert_array_equal(part, image[: part.shape[0], : part.shape[1]])
    assert {part.shape for part in running.cut(images[:, :1, :1])} == {(1, 1, 3)}


def test_runs_a_lite_file_whose_last_batch_is_not_full(lite, images):
    outputs, report = running.run(str(lite), images)
    assert outputs.keys() == {"serving_default/sums"}
    np.testing.assert_allclose(outputs["serving_default/sums"], images.sum(axis=(1, 2)))
    assert report["serving_default"]["batch"] == 2
    assert report["serving_default"]["kinds"]["SUM"] == 1


def test_models_are_opened_from_memory_too(lite, images):
    (found,) = running.lite_outputs(running.open_lite(lite.read_bytes()), images).values()
    np.testing.assert_allclose(found, images.sum(axis=(1, 2)))


@pytest.mark.parametrize("batch", [2, -1])
def test_runs_an_openvino_model_on_any_number_of_images(batch, images, tmp_path):
    parameter = opset13.parameter([batch, 4, 4, 3])
    sums = opset13.reduce_sum(parameter, [1, 2], keep_dims=False)
    sums.output(0).set_names({"sums"})
    model = openvino.Model([sums], [parameter])
    model.set_rt_info("float32", running.OPENVINO_PRECISION)
    openvino.save_model(model, str(tmp_path / running.OPENVINO_FILE))
    outputs, report = running.run(str(tmp_path), images)
    np.testing.assert_allclose(outputs["serving_default/sums"], images.sum(axis=(1, 2)))
    assert report["serving_default"]["operations"] > 0
    assert report["serving_default"]["milliseconds"] > 0


def test_texts_become_bytes_and_numbers_stay():
    for texts in (np.array([["é", "ab"]]), np.array([["é".encode(), b"ab"]], object)):
        assert running.plain(texts).tolist() == [["é".encode(), b"ab"]]
    numbers = np.arange(3.0)
    assert running.plain(numbers) is numbers


def test_files_are_decoded_blue_first():
    image = np.arange(24, dtype="float32").reshape(2, 4, 3)
    decoded = running.as_decoded(image)
    assert decoded.shape == (1, 2, 4, 3)
    np.testing.assert_array_equal(decoded[0, :, :, 0], image[:, :, 2])
