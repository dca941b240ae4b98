"""Decoding as evaluation does it, with bounded memory; tests/hostile has what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from common.preparation import evaluation_image
from export.serving import decoding
from export.serving.decoding import decode_images
from tests.conftest import ROOT
from tests.export.encoding import encode, picture


def test_gray_images_are_answered_as_their_colors(loaded):
    serve = loaded["serve_bytes"]
    gray = encode(picture(0).convert("L"), "PNG")
    rgb = encode(picture(0).convert("L").convert("RGB"), "PNG")
    scores = serve(image_bytes=tf.constant([gray, rgb]))["scores"].numpy()
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


def test_photographs_are_turned_as_pillow_turns_them():
    files = []
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        files.append(encode(picture(value, 40, 60), "JPEG", quality=95, exif=exif))
    expected = []
    for value, file in enumerate(files, 1):
        image = Image.fromarray(tf.io.decode_jpeg(file).numpy())  # as stored
        image.getexif()[0x0112] = value
        expected.append(evaluation_image(np.asarray(ImageOps.exif_transpose(image)), 32))
    images = decode_images(tf.constant(files), 32, 1.0)
    np.testing.assert_allclose(images, np.stack(expected), atol=1e-3)


@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
def test_prepares_as_evaluation_does(crop_fraction):
    image = picture(0)
    (found,) = decode_images(tf.constant([encode(image, "PNG")]), 32, crop_fraction)
    expected = evaluation_image(np.asarray(image), 32, crop_fraction)
    np.testing.assert_allclose(found, expected, atol=1e-3)


BYTES = 3 * 50 * 70  # of a decoded picture


@pytest.mark.parametrize(("small", "medium"), [(BYTES - 1, BYTES), (BYTES - 1, BYTES - 1)])
def test_large_images_share_locks_and_give_them_back(small, medium, monkeypatch):
    monkeypatch.setattr(decoding, "SMALL", small)
    monkeypatch.setattr(decoding, "MEDIUM", medium)
    serve = tf.function(decode_images)
    files = [encode(picture(seed), "PNG") for seed in range(8)]
    for _ in range(3):  # more failures than locks, all at once
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve(tf.constant([file[:1000] for file in files]), 32, 1.0)
    images = serve(tf.constant(files), 32, 1.0)
    expected = [evaluation_image(np.asarray(picture(seed)), 32) for seed in range(8)]
    np.testing.assert_allclose(images, np.stack(expected), atol=1e-3)


# Four requests at once, each of four images of one kind; prints the memory that it took, in MB.
FOUR_REQUESTS = """
import concurrent.futures
import tensorflow as tf
from PIL import Image
from export.serving.decoding import decode_images
from tests.export.encoding import encode

Image.MAX_IMAGE_PIXELS = None
serve = tf.function(decode_images)
files = {
    "PNG": encode(Image.new("L", (8192, 8192)), "PNG"),
    "progressive JPEG": encode(Image.new("RGB", (4700, 4700)), "JPEG", progressive=True),
    "photograph": encode(Image.new("RGB", (4096, 4095)), "JPEG"),
    "small": encode(Image.new("RGB", (2048, 1024)), "JPEG"),
}

def request(name):
    return serve(tf.constant([files[name]] * 4), 224, 0.875)

def memory(name):
    (line,) = (line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1]) / 1000

request("small")
idle = memory("VmRSS")
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for name in files:
        list(pool.map(request, [name] * 4))
    list(pool.map(request, files))
print(memory("VmHWM") - idle)
"""


@pytest.mark.slow
def test_four_requests_of_huge_images_stay_below_a_gigabyte():
    done = subprocess.run(
        [sys.executable, "-c", FOUR_REQUESTS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    print(f"{float(done.stdout):.0f} MB above the idle process")
    assert float(done.stdout) < 1000
