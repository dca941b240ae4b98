"""The task of segmenting: figures on outputs made by hand, answers, lines and pictures."""

import contextlib
import io
import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import overlays
from common.errors import ProgramError, SettingError
from common.trained import Trained
from export.network import inference_network
from export.tasks import load_task, task_of
from export.tasks.segment import TASK, read_mask
from pale_tf import PaleN
from tests.export.encoding import encode, picture, with_size
from tests.export.segmenters import LABELS, photographs
from tests.hostile.images import make_images
from training.tasks.segment import make_inference


def recipe(**settings):
    return {"task": "segment", "image_size": 64, "settings": settings}


def trained_of(network, labels=LABELS, **settings):
    return Trained(network, pathlib.Path("run/model.keras"), recipe(**settings), list(labels))


def test_takes_segmenters_with_their_labels(segmenter):
    assert task_of(trained_of(segmenter)) is TASK is load_task("segment")
    with pytest.raises(SettingError, match="run has 2 labels for a network of 4 classes"):
        TASK.check(trained_of(segmenter, LABELS[:2]))
    with pytest.raises(SettingError, match="`short_side` must be"):
        TASK.check(trained_of(segmenter, short_side="large"))
    with pytest.raises(SettingError, match="RUN: must be a segmenter of one output; pale_n is"):
        TASK.check(trained_of(PaleN(classes=4)))
    with pytest.raises(SettingError, match="has no dense layer named predictions"):
        load_task("classify").check(trained_of(segmenter))


def test_outputs_and_reference_are_the_networks(segmenter):
    images = photographs(2, 40, 56)
    expected = segmenter(images).numpy()
    found = inference_network(segmenter, TASK)(images)
    reference = TASK.reference(segmenter, images)
    for outputs in (found, reference):
        np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-3)
        assert (np.asarray(outputs["classes"]) == expected.argmax(axis=-1)).mean() > 0.999
    assert (found["classes"].dtype, found["logits"].shape) == ("uint8", (2, 10, 14, 4))
    np.testing.assert_allclose(found["logits"], reference["logits"], atol=1e-3)
    for names in TASK.signatures.values():
        figures = TASK.compare({name: np.asarray(found[name]) for name in names}, reference)
        assert figures["agreement"] > 0.999
        assert figures.get("error", 0) < 1e-5


@pytest.fixture
def expected():
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(size=(2, 8, 8, 3))
    classes = probabilities.argmax(axis=-1)
    logits = rng.normal(size=(2, 2, 2, 3))
    return {"classes": classes, "probabilities": probabilities, "logits": logits}


def test_figures(expected):
    assert TASK.compare({"classes": expected["classes"]}, expected) == {"agreement": 1.0}
    wrong = expected["classes"].copy()
    wrong[0, 0, :4] = (wrong[0, 0, :4] + 1) % 3
    logits = expected["logits"] + 0.01 * abs(expected["logits"]).max()
    figures = TASK.compare({"classes": wrong, "logits": logits}, expected)
    assert figures["agreement"] == 1 - 4 / 128
    assert figures["error"] == pytest.approx(0.01)
    scores = {"probabilities": expected["probabilities"][..., ::-1], "logits": logits}
    middle = (expected["classes"] == 1).mean()
    assert TASK.compare(scores, expected)["agreement"] == pytest.approx(middle)
    with pytest.raises(ProgramError, match=r"no output like the artifact.s classes"):
        TASK.compare({"classes": wrong[:, :4]}, expected)


def run_of(classes):
    """A network that finds the class in the red of a pixel."""

    def run(images):
        red = tf.cast(tf.round(images[..., 0]), tf.int32)
        return {"probabilities": tf.one_hot(red, classes)}

    return run


@pytest.mark.parametrize("classes", [3, 300])
def test_answers_with_a_map_of_each_image_in_its_own_size(classes, segmenter):
    trained = trained_of(segmenter)._replace(labels=list(map(str, range(4))))
    maps = [np.random.default_rng(0).integers(0, 3, size, "uint8") for size in ((5, 9), (31, 4))]
    files = [encode(Image.fromarray(np.stack([one] * 3, -1)), "PNG") for one in maps]
    answer = TASK.answer(tf.constant(files), run_of(classes), None, trained)
    for mask, one in zip(answer["mask_bytes"].numpy(), maps, strict=True):
        image = Image.open(io.BytesIO(mask))
        assert image.mode == ("L" if classes == 3 else "I;16")
        np.testing.assert_array_equal(image, one)
        np.testing.assert_array_equal(read_mask(mask, classes), one)
    assert answer["labels"].numpy().astype(str).tolist() == [["0", "1", "2", "3"]] * 2


@pytest.mark.parametrize("size", [None, 64])
def test_images_are_turned_and_scaled_and_maps_scaled_back(size, segmenter):
    trained = trained_of(segmenter, short_side=20)
    pixels = np.zeros((30, 50, 3), "uint8")
    pixels[:, 20:] = 1
    pixels[10:, 40:] = 2
    files = []
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append(encode(Image.fromarray(pixels), "JPEG", quality=100, exif=exif))
    answer = TASK.answer(tf.constant(files), run_of(3), size, trained)
    upright = (pixels, np.rot90(pixels, -1))
    for mask, expected in zip(answer["mask_bytes"].numpy(), upright, strict=True):
        found = read_mask(mask, 3)
        assert found.shape == expected.shape[:2]
        assert (found == expected[..., 0]).mean() > 0.93  # but at the edges


@pytest.mark.parametrize("short_side", [None, 40])
def test_answers_are_the_maps_that_training_scores(short_side, segmenter):
    trained = trained_of(segmenter, short_side=short_side)
    image = photographs(1, 60, 90)[0]
    files = tf.constant([encode(Image.fromarray(image.astype("uint8")), "PNG")])
    answer = TASK.answer(files, lambda x: {"probabilities": segmenter(x)}, None, trained)
    expected = make_inference(segmenter, trained.recipe["settings"])(image[None])[0]
    found = read_mask(answer["mask_bytes"].numpy()[0], 4)
    assert (found == expected.numpy().argmax(-1)).mean() > 0.999


def test_hostile_images_are_answered_or_refused(segmenter):
    trained = trained_of(segmenter)
    serve = tf.function(lambda files: TASK.answer(files, run_of(3), None, trained))
    answered = 0
    for _, content in itertools.islice(make_images(1), 80):
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            (mask,) = serve(tf.constant([content]))["mask_bytes"].numpy()
            assert read_mask(mask, 3).size > 0
            answered += 1
    assert 0 < answered < 80


def test_answers_are_compared_with_maps(segmenter):
    trained = trained_of(segmenter)
    maps = [np.random.default_rng(0).integers(0, 4, size) for size in ((5, 9), (31, 4))]
    files = [overlays.encode_mask(one, 4) for one in maps]
    gray = [encode(Image.fromarray(one.astype("uint8")), "PNG") for one in maps]
    assert TASK.compare_answers({"mask_bytes": gray}, maps, trained) == {"agreement": 1.0}
    other = [maps[0], (maps[1] + 1) % 4]
    figures = TASK.compare_answers({"mask_bytes": gray}, other, trained)
    assert figures["agreement"] == pytest.approx(45 / (45 + 124))
    with pytest.raises(ProgramError, match=r"no output like .* mask_bytes \[31, 4\]"):
        TASK.compare_answers({"mask_bytes": gray[::-1]}, maps, trained)
    with pytest.raises(ProgramError, match="a mask must be a PNG file"):
        TASK.compare_answers({"mask_bytes": [b"nothing", files[1]]}, maps, trained)


@pytest.fixture
def answered():
    """An answer to a picture, and its class map."""
    classes = np.zeros((50, 70), "uint8")
    classes[:, :14] = 2
    classes[:5] = 3
    file = encode(Image.fromarray(classes), "PNG")
    return {"mask_bytes": file, "labels": np.array(["none", "b", "c", "ä"])}, classes


def test_the_classes_that_occur_have_lines(answered):
    answer, _ = answered
    assert TASK.lines(answer) == [" 72.00%  none", " 18.00%  c", " 10.00%  ä"]
    encoded = {**answer, "labels": np.array([b"none", b"b", b"c", "ä".encode()], object)}
    assert TASK.lines(encoded) == TASK.lines(answer)


def test_pictures_show_the_map(answered):
    answer, classes = answered
    image = picture(0)
    pictures = TASK.pictures(answer, encode(image, "PNG"))
    mask = Image.open(io.BytesIO(pictures["-mask.png"]))
    assert mask.mode == "P"
    np.testing.assert_array_equal(mask, classes)
    page = np.asarray(Image.open(io.BytesIO(pictures["-overlay.png"])))
    expected = overlays.overlay(np.asarray(image), classes, answer["labels"].tolist())
    np.testing.assert_array_equal(page, expected)
    with pytest.raises(ValueError, match="`image` must be of shape"):
        TASK.pictures(answer, encode(picture(0, 9, 9), "PNG"))


@pytest.mark.parametrize(
    "change",
    [
        {"mask_bytes": b""},
        {"mask_bytes": b"nothing"},
        {"mask_bytes": "text"},
        {"mask_bytes": np.zeros(3)},
        {"mask_bytes": with_size(encode(Image.new("L", (8, 8)), "PNG"), 30_000, 30_000)},
        {"mask_bytes": encode(picture(0), "PNG")[:500]},
        {"mask_bytes": encode(Image.new("L", (8, 8), 4), "PNG")},
        {"mask_bytes": encode(Image.new("RGB", (8, 8)), "JPEG")},
        {"labels": np.array([])},
        {"labels": np.array("none")},
        {"labels": np.array([1, 2])},
        {"labels": np.array([["a", "b"]])},
        {"labels": np.array([b"\xff"] * 4, object)},
    ],
    ids=str,
)
def test_what_is_no_answer_is_an_error(answered, change):
    with pytest.raises((ValueError, TypeError)):
        TASK.lines({**answered[0], **change})


def test_facts_and_files(segmenter):
    trained = trained_of(segmenter, short_side=512)
    assert TASK.files(trained) == {"labels.txt": "background\nroof\nleaves\nsky\n"}
    facts = TASK.facts(trained)
    assert (facts["classes"], facts["short side of whole images"]) == (4, 512)
    assert TASK.page({"labels.txt": "ant\nbee\n"}) == {"labels": ["ant", "bee"]}


def test_thin_images_are_no_longer_for_the_network_than_others(segmenter):
    """Attention along a line costs its square: a line of 65,500 pixels would take gigabytes."""
    trained, lengths = trained_of(segmenter), []

    def run(images):
        lengths.append(images.shape[2])
        return {"probabilities": segmenter(images)}

    file = encode(Image.new("RGB", (65_500, 1), (250, 80, 20)), "JPEG")
    (mask,) = TASK.answer(tf.constant([file]), run, None, trained)["mask_bytes"].numpy()
    assert lengths == [4096]
    assert read_mask(mask, 4).shape == (1, 65_500)
