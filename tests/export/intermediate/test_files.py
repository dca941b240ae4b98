"""What OpenVINO does with a decoded file, and with labels."""

import numpy as np
import openvino
import pytest
from openvino import opset15 as ops

from common.preparation import evaluation_image
from export.intermediate.files import gather_texts, prepare


def compiled(outputs, inputs):
    model = openvino.Model(outputs, inputs)
    return openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def preparing(size, crop_fraction):
    pixels = ops.parameter([1, -1, -1, -1], np.float32)
    return compiled([prepare(pixels, size, crop_fraction)], [pixels])


@pytest.mark.parametrize(("size", "crop_fraction"), [(32, 1.0), (224, 0.875), (7, 0.9)])
def test_prepares_as_evaluation_does(size, crop_fraction):
    run = preparing(size, crop_fraction)
    rng = np.random.default_rng(0)
    for sides in ((300, 400), (31, 29), (57, 228), (33, 32), (720, 235), (1, 1)):
        image = rng.uniform(0, 255, (*sides, 3)).astype("uint8")
        expected = evaluation_image(image, size, crop_fraction).numpy()
        found = run(image[None, :, :, ::-1].astype("float32"))[0]
        np.testing.assert_allclose(found[0], expected, atol=0.02)


def test_gray_and_transparent_images():
    run, rng = preparing(16, 1.0), np.random.default_rng(1)
    gray = rng.uniform(0, 255, (20, 25, 1)).astype("float32")
    expected = evaluation_image(gray, 16).numpy()
    np.testing.assert_allclose(run(gray[None])[0][0], expected, atol=0.02)
    image = rng.uniform(0, 255, (20, 25, 4)).astype("float32")
    expected = evaluation_image(image[:, :, 2::-1], 16).numpy()
    np.testing.assert_allclose(run(image[None])[0][0], expected, atol=0.02)


def test_the_ends_of_a_thin_image_cost_nothing():
    run = preparing(224, 0.875)
    for sides in ((1, 65500), (9001, 3)):
        ramp = np.linspace(0, 255, max(sides), dtype="float32").reshape(1, -1, 1)
        image = np.broadcast_to(ramp if sides[0] == 1 else ramp.transpose(1, 0, 2), (*sides, 3))
        found = run(image[None])[0][0]
        np.testing.assert_allclose(found, evaluation_image(image, 224, 0.875), atol=0.5)


def test_gathers_texts():
    texts = ["cat", "", "Flötenvogel", "鳥", "dog"]
    indices = ops.parameter([2, 3], np.int32)
    run = compiled([gather_texts(texts, indices.output(0))], [indices])
    places = np.array([[4, 3, 2], [1, 0, 4]], "int32")
    assert run(places)[0].tolist() == [[texts[place] for place in row] for row in places]
