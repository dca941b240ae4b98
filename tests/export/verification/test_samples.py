"""Images to compare on: those named, those of the run, or patterns."""

import pathlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from common.errors import SettingError
from common.preparation import evaluation_image
from common.trained import NO_RUN, Trained
from export.verification.samples import built_in_images, images_for, read_image
from tests.export.encoding import encode, picture


@pytest.fixture
def trained(tmp_path):
    return Trained(None, tmp_path / "model.keras", NO_RUN, [])


def test_every_kth_image_of_the_run_as_evaluation_has_it(trained, tmp_path):
    assert images_for(trained, [], 8, 4)[1] == "patterns"
    folder = tmp_path / "calibration"
    folder.mkdir()
    for index in range(7):
        (folder / f"{index}.png").write_bytes(encode(picture(index), "PNG"))
    images, origin = images_for(trained, [], 8, 3)
    assert origin == str(folder)
    expected = [evaluation_image(np.asarray(picture(index)), 8) for index in (0, 3, 6)]
    np.testing.assert_allclose(images, np.stack(expected), atol=1e-3)


def test_the_run_says_how_much_is_cropped(trained, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(picture(0), "PNG"))
    recipe = {"task": "classify", "settings": {"crop_fraction": 0.5}}
    images, _ = images_for(trained._replace(recipe=recipe), [path], 8, 1)
    expected = evaluation_image(np.asarray(picture(0)), 8, 0.5)
    np.testing.assert_allclose(images[0], expected, atol=1e-3)


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_photographs_are_turned(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    image = Image.new("RGB", (40, 60), (200, 30, 30))
    image.paste((10, 90, 220), (0, 0, 16, 24))  # one corner, of whole blocks
    path.write_bytes(encode(image, "JPEG", quality=95, subsampling=0, exif=exif))
    with Image.open(path) as stored:
        expected = evaluation_image(np.asarray(ImageOps.exif_transpose(stored)), 8)
    np.testing.assert_allclose(read_image(path, 8, 1.0), expected, atol=5)


def test_what_is_no_image_is_one_error(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("nothing")
    for missing in (path, pathlib.Path("/absent.png")):
        with pytest.raises(SettingError, match=f"--images: cannot read {missing} as an image"):
            read_image(missing, 8, 1.0)


def test_patterns_are_all_different_and_in_range():
    images = built_in_images(12)
    assert images.shape == (16, 12, 12, 3)
    assert 0 <= images.min() < 20
    assert 235 < images.max() <= 255
    assert len(np.unique(images.reshape(16, -1), axis=0)) == 16
