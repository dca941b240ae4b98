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


@pytest.mark.parametrize(("size", "crop_fraction"), [(32, 1.0), (224, 0.875), (7, 0.9)])
def test_prepares_as_evaluation_does(size, crop_fraction):
    pixels = ops.parameter([1, -1, -1, 3], np.float32)
    run = compiled([prepare(pixels, size, crop_fraction)], [pixels])
    rng = np.random.default_rng(0)
    for sides in ((300, 400), (31, 29), (57, 500), (33, 32), (720, 235), (1, 1)):
        image = rng.uniform(0, 255, (*sides, 3)).astype("uint8")
        expected = evaluation_image(image, size, crop_fraction).numpy()
        found = run(image[None, :, :, ::-1].astype("float32"))[0]
        np.testing.assert_allclose(found[0], expected, atol=0.02)


def test_gathers_texts():
    texts = ["cat", "", "Flötenvogel", "鳥", "dog"]
    indices = ops.parameter([2, 3], np.int32)
    run = compiled([gather_texts(texts, indices.output(0))], [indices])
    places = np.array([[4, 3, 2], [1, 0, 4]], "int32")
    assert run(places)[0].tolist() == [[texts[place] for place in row] for row in places]
