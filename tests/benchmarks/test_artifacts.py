"""Exported files, loaded again."""

import numpy as np
import tensorflow as tf

from benchmarks import artifacts
from export.verification.running import open_lite


def means(images):
    return {"logits": tf.reduce_mean(images, (1, 2))}


def test_images_are_the_same_every_time():
    images = artifacts.images_of(2)
    assert images.shape == (2, 224, 224, 3)
    assert images.dtype == "float32"
    assert images.min() >= 0
    assert 200 < images.max() <= 255
    np.testing.assert_array_equal(images, artifacts.images_of(2))


def test_runs_a_saved_model_on_any_number_of_images(tmp_path):
    spec = tf.TensorSpec((None, 224, 224, 3), name="images")
    signature = tf.function(means, input_signature=[spec])
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"serving_default": signature})
    run = artifacts.saved_model(str(tmp_path))
    for batch in (1, 3):
        expected = artifacts.images_of(batch).mean((1, 2))
        np.testing.assert_allclose(run(batch), expected, rtol=1e-5)


def test_runs_a_lite_file(tmp_path, monkeypatch):
    spec = tf.TensorSpec((1, 224, 224, 3), name="images")
    function = tf.function(means, input_signature=[spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], None)
    path = tmp_path / "x.tflite"
    path.write_bytes(converter.convert())
    opened = []
    monkeypatch.setattr(
        artifacts, "open_lite", lambda *options: opened.append(open_lite(*options)) or opened[0]
    )
    artifacts.lite(str(path))(1)
    (interpreter,) = opened
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(output, artifacts.images_of(1).mean((1, 2)), rtol=1e-5)
