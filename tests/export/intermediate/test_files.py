"""Decoded files and labels inside of OpenVINO models."""

import tempfile

import numpy as np
import openvino
import pytest
from openvino import opset15 as ops

from common.preparation import evaluation_image, fitted_image, scaled_image
from export.intermediate import files
from export.tasks.detect import masks_of_parts
from tests.export.plug_in import compile_model


def compiled(outputs, inputs):
    """Operations as they are run: read from a file, which changed the numbers of some."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/model.xml"
        openvino.save_model(openvino.Model(outputs, inputs), file, compress_to_fp16=False)
        model = openvino.Core().read_model(file)
        return compile_model(model, {"INFERENCE_PRECISION_HINT": "f32"})


def preparing(size, crop_fraction):
    pixels = ops.parameter([1, -1, -1, -1], np.float32)
    return compiled(
        [files.evaluation_image(files.red_first(pixels), size, crop_fraction)], [pixels]
    )


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


@pytest.mark.parametrize("sides", [(95, 87), (20, 300), (33, 32), (7, 7)], ids=str)
def test_scales_and_fits_whole_images(sides):
    pixels = ops.parameter([1, -1, -1, 3], np.float32)
    outputs = [files.scaled_image(pixels, 64, 96), *files.fitted_image(pixels, 48)]
    run = compiled(outputs, [pixels])
    image = np.random.default_rng(2).uniform(0, 255, (*sides, 3)).astype("float32")
    scaled, fitted, part = (value[0] for value in run(image[None]).values())
    np.testing.assert_allclose(scaled, scaled_image(image, 64, 96), atol=0.02)
    np.testing.assert_allclose(fitted, fitted_image(image, 48), atol=0.02)
    np.testing.assert_allclose(part, fitted[: part.shape[0], : part.shape[1]], atol=1e-4)


def test_masks_of_parts_of_boxes():
    rng = np.random.default_rng(3)
    masks = rng.uniform(size=(5, 7, 9)).astype("float32")
    boxes = np.float32([[0, 0, 9, 7], [-5, 2, 20, 8], [3, 3, 3, 9], [1, 1, 2, 2], [-1, -4, 9, 3]])
    parts = boxes.clip(0, 8)
    inputs = [ops.parameter([1, *x.shape], np.float32) for x in (masks, boxes, parts)]
    run = compiled([files.masks_of_parts(*inputs, 7, 9)], inputs)
    found = run([masks[None], boxes[None], parts[None]])[0][0]
    np.testing.assert_allclose(found, masks_of_parts(masks, boxes, parts), atol=1e-5)


def test_gathers_texts():
    texts = ["cat", "", "Flötenvogel", "鳥", "dog"]
    indices = ops.parameter([2, 3], np.int32)
    run = compiled([files.gather_texts(texts, indices.output(0))], [indices])
    places = np.array([[4, 3, 2], [1, 0, 4]], "int32")
    assert run(places)[0].tolist() == [[texts[place] for place in row] for row in places]
