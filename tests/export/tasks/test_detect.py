"""The task of detecting: figures on outputs made by hand, answers, lines and pictures."""

import contextlib
import io
import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.errors import ProgramError, SettingError
from common.instances import draw_objects, paste_mask
from common.trained import Trained
from export.network import inference_network
from export.tasks import check_precision, load_task, task_of
from export.tasks.detect import LOWEST, TASK, lowest, masks_of_parts, objects_in_image
from pale_tf import PaleN
from tests.export.detectors import LABELS, make_detector
from tests.export.encoding import encode, picture
from tests.export.segmenters import photographs
from tests.hostile.images import make_images
from training.tasks.detect import make_inference

OUTPUTS = {"boxes", "scores", "classes", "count", "masks"}
MOST = 20


def recipe(**settings):
    settings = {"short_sides": [48, 64], "long_side": 96} | settings
    return {"task": "detect", "image_size": 64, "settings": settings}


def trained_of(network, labels=LABELS, **settings):
    return Trained(network, pathlib.Path("run/model.keras"), recipe(**settings), list(labels))


def test_takes_detectors_with_their_labels(detector, segmenter):
    assert task_of(trained_of(detector)) is TASK is load_task("detect")
    with pytest.raises(SettingError, match="run has 2 labels for a network of 3 classes"):
        TASK.check(trained_of(detector, LABELS[:2]))
    with pytest.raises(SettingError, match="`short_sides` must be two numbers"):
        TASK.check(trained_of(detector, short_sides=64))
    for other in (PaleN(classes=3), segmenter):
        with pytest.raises(SettingError, match=f"must be a detector; {other.name} is none"):
            TASK.check(trained_of(other))
    with pytest.raises(SettingError, match="has no dense layer named predictions"):
        load_task("classify").check(trained_of(detector))
    with pytest.raises(SettingError, match="must be a segmenter of one output"):
        load_task("segment").check(trained_of(detector))


def test_a_precision_that_is_not_supported_is_refused_by_the_name_of_its_flag(detector):
    trained = trained_of(detector)
    for precision in ("float32", "float16", "bfloat16", "dynamic"):
        check_precision(trained, TASK, precision)
    with pytest.raises(SettingError, match="argument --precision: the task detect has no int8"):
        check_precision(trained, TASK, "int8")


@pytest.fixture(scope="module")
def images():
    return photographs(2, 40, 56)


@pytest.fixture(scope="module")
def reference(detector, images):
    return TASK.reference(detector, images)


def test_outputs_and_reference_are_the_networks(detector, images, reference):
    expected = {name: np.asarray(value) for name, value in detector(images).items()}
    assert expected.keys() == OUTPUTS
    expected[LOWEST] = reference[LOWEST]
    for outputs in (inference_network(detector, TASK)(images), reference):
        found = {name: np.asarray(outputs[name]) for name in OUTPUTS}
        figures = TASK.compare(found, expected)
        assert figures["matched"] == 1.0
        assert figures["box"] < 1e-2
        assert max(figures["score"], figures["mask"]) < 1e-3


def test_a_detector_without_masks_has_four_outputs():
    assert TASK.outputs(make_detector(masks=False)).keys() == OUTPUTS - {"masks"}


def test_the_lowest_score_is_the_threshold_or_that_of_the_last_place(detector):
    scores = np.linspace(0.9, 0.2, MOST)[None].repeat(2, axis=0)
    arrays = {"count": np.array([MOST, MOST - 1]), "scores": scores}
    np.testing.assert_allclose(lowest(detector, arrays), [0.2, 0.05])


def test_arrays_of_another_network_are_an_error(reference):
    with pytest.raises(ProgramError, match=r"no output like the artifact.s boxes"):
        TASK.compare({"boxes": reference["boxes"][:, :3]}, reference)


def finds_red(images):
    """A network that finds the one box of red pixels; the mask is of the box's upper half."""
    red = images[0, ..., 0] > 128
    places = tf.cast(tf.where(red), tf.float32)
    low, high = tf.reduce_min(places, axis=0), tf.reduce_max(places, axis=0) + 1.0
    box = tf.concat([low[::-1], high[::-1]], axis=0)
    first = tf.one_hot(0, MOST)
    return {
        "boxes": (first[:, None] * box)[None],
        "scores": 0.75 * first[None],
        "classes": tf.cast(first, tf.int32)[None],
        "count": tf.constant([1]),
        "masks": first[None, :, None, None] * tf.ones((1, MOST, 28, 28)),
    }


RED = (20, 5, 44, 12)  # x1, y1, x2, y2 in an image of 30 × 50 pixels
UPRIGHT = {  # by orientation, where turning takes it
    1: RED,
    2: (6, 5, 30, 12),
    3: (6, 18, 30, 25),
    6: (18, 20, 25, 44),
    8: (5, 6, 12, 30),
}


@pytest.mark.parametrize("size", [None, 64])
def test_boxes_are_in_pixels_of_the_upright_image(size, detector):
    pixels = np.zeros((30, 50, 3), "uint8")
    x1, y1, x2, y2 = RED
    pixels[y1:y2, x1:x2] = 255
    files = []
    for orientation in UPRIGHT:
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append(encode(Image.fromarray(pixels), "JPEG", quality=100, exif=exif))
    found = TASK.answer(tf.constant(files), finds_red, size, trained_of(detector))
    assert found["labels"].numpy().astype(str).tolist() == [LABELS] * len(files)
    np.testing.assert_allclose(found["boxes"][:, 0], list(UPRIGHT.values()), atol=0.7)
    assert not found["boxes"][:, 1:].numpy().any()
    assert found["count"].numpy().tolist() == [1] * len(files)
    assert found["masks"].shape == (len(files), MOST, 28, 28)


def blob(cells=28):
    """Probabilities of a tilted ellipse that reaches over the edge of its box."""
    y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
    radius = np.hypot(1.6 * (x - 0.7 * y), y - 0.55)
    return (1 / (1 + np.exp(40 * (radius - 0.45)))).astype("float32")


BOXES = [(-3, 4, 50, 62), (20, 10, 64, 40), (5, 30, 30, 64), (-8, -9, 80, 90), (3, 50, 20, 60)]


def test_objects_end_at_the_edge_of_their_image():
    """The same pixels as those of the object with its part outside, which is then cut off."""
    region, own = (40, 60), (80, 120)
    found = {
        "boxes": tf.constant(BOXES, tf.float32),
        "masks": tf.tile(tf.constant(blob())[None], (len(BOXES), 1, 1)),
    }
    placed = objects_in_image(found, tf.constant(region), tf.constant(own))
    for box, kept, mask in zip(BOXES, placed["boxes"].numpy(), placed["masks"], strict=True):
        whole = 2.0 * np.array(box)
        np.testing.assert_array_equal(kept, np.clip(whole, 0, (120, 80, 120, 80)))
        expected = paste_mask(blob(), whole, 128, 128)[:80, :120]
        pasted = paste_mask(mask.numpy(), kept, *own)
        assert np.count_nonzero(pasted != expected) <= 0.02 * np.count_nonzero(expected)


def test_masks_of_whole_boxes_stay_as_they_are():
    masks = tf.constant(np.random.default_rng(0).random((3, 28, 14), "float32"))
    boxes = tf.constant([[1.5, 2, 40, 30], [4, 4, 4, 9], [0, 0, 0, 0]])
    np.testing.assert_allclose(masks_of_parts(masks, boxes, boxes), masks, atol=1e-5)


@pytest.mark.parametrize("shape", [(200, 50), (1, 3)])
def test_answers_are_what_training_scores(shape, detector):
    trained = trained_of(detector)
    image = photographs(1, *shape)[0]
    files = tf.constant([encode(Image.fromarray(image.astype("uint8")), "PNG")])
    answers = TASK.answer(files, detector, None, trained)
    expected = make_inference(detector, trained.recipe["settings"])(image[None])
    for name in OUTPUTS:
        np.testing.assert_allclose(answers[name], expected[name], atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_answers_are_compared_with_the_networks(detector):
    trained = trained_of(detector)
    images = [photographs(1, *shape)[0] for shape in ((60, 90), (64, 48))]
    files = [encode(Image.fromarray(image.astype("uint8")), "PNG") for image in images]
    answers = TASK.answer(tf.constant(files), detector, None, trained)
    answers = {name: np.array(value) for name, value in answers.items()}
    reference = TASK.reference_answers(TASK, detector, images, trained)
    figures = TASK.compare_answers(answers, reference, trained)
    assert figures["matched"] == 1.0
    assert figures["box"] < 1e-2
    answers["boxes"][1, 0] += 0.5
    figures = TASK.compare_answers(answers, reference, trained)
    assert figures["box"] == pytest.approx(0.5, abs=1e-2)


def test_hostile_images_are_answered_or_refused(detector):
    """Where the network sees a red box, and where it does not."""
    trained = trained_of(detector)

    def run(images):
        sides = tf.shape(images)[1:3]
        marked = images + 255.0 * tf.one_hot([0], sides[1])[:, None, :, None]
        return finds_red(marked)

    serve = tf.function(lambda files: TASK.answer(files, run, None, trained))
    answered = 0
    for _, content in itertools.islice(make_images(1), 80):
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            answers = serve(tf.constant([content]))
            answer = {name: value.numpy()[0] for name, value in answers.items()}
            assert len(TASK.lines(answer)) == 1
            answered += 1
    assert 0 < answered < 80


def test_thin_images_are_no_longer_for_the_network_than_others(detector):
    trained, shapes = trained_of(detector), []

    def run(images):
        shapes.append(images.shape[1:3])
        return finds_red(images)

    file = encode(Image.new("RGB", (65_500, 1), (250, 80, 20)), "JPEG")
    found = TASK.answer(tf.constant([file]), run, None, trained)
    assert shapes == [(1, 96)]
    np.testing.assert_allclose(found["boxes"][0, 0], [0, 0, 65_500, 1])


@pytest.fixture
def answered():
    """An answer to a picture of 50 × 70 pixels."""
    masks = np.zeros((MOST, 28, 28), "float32")
    masks[0, :14], masks[1] = 1.0, 0.9
    boxes = np.zeros((MOST, 4), "float32")
    boxes[:3] = [[10, 20, 40, 44], [0, 0, 70, 10.5], [60, 40, 70, 50]]
    scores = np.zeros(MOST, "float32")
    scores[:3] = [0.75, 0.5, 0.25]
    classes = np.zeros(MOST, "int32")
    classes[:3] = [2, 0, 3]
    return {
        "boxes": boxes,
        "scores": scores,
        "classes": classes,
        "count": np.int32(3),
        "masks": masks,
        "labels": np.array(["a", "b", "c", "ä"]),
    }


LINES = [
    " 75.00%  c  10.0 20.0 30.0 24.0",
    " 50.00%  a  0.0 0.0 70.0 10.5",
    " 25.00%  ä  60.0 40.0 10.0 10.0",
]


def test_objects_have_lines(answered):
    assert TASK.lines(answered) == LINES
    encoded = {**answered, "labels": np.array([b"a", b"b", b"c", "ä".encode()], object)}
    assert TASK.lines(encoded) == LINES
    from_json = {name: np.array(value.tolist()) for name, value in answered.items()}
    assert TASK.lines(from_json) == LINES
    assert TASK.lines({**answered, "count": np.int32(0)}) == ["no objects"]
    del answered["masks"]
    assert TASK.lines(answered) == LINES


@pytest.mark.parametrize("masks", [True, False])
def test_pictures_show_the_sure_objects(answered, masks):
    image = picture(0)
    pasted = [
        paste_mask(answered["masks"][k], answered["boxes"][k], 50, 70) if masks else None
        for k in (0, 1)
    ]
    if not masks:
        del answered["masks"]
    (picture_of,) = TASK.pictures(answered, encode(image, "PNG")).items()
    objects = [(answered["boxes"][k], (2, 0)[k], answered["scores"][k], pasted[k]) for k in (0, 1)]
    expected = draw_objects(np.asarray(image), objects, ["a", "b", "c", "ä"])
    assert picture_of[0] == "-objects.png"
    np.testing.assert_array_equal(Image.open(io.BytesIO(picture_of[1])), expected)
    with pytest.raises(ValueError, match="a box must lie within its image"):
        TASK.pictures(answered, encode(picture(0, 9, 9), "PNG"))


@pytest.mark.parametrize(
    "change",
    [
        {"count": np.int32(MOST + 1)},
        {"count": np.int32(-1)},
        {"count": np.array(2.0)},
        {"count": np.array([3])},
        {"count": np.array("three")},
        {"boxes": np.zeros((MOST, 3))},
        {"boxes": np.zeros(4)},
        {"boxes": np.full((MOST, 4), np.nan)},
        {"boxes": np.full((MOST, 4), "x")},
        {"boxes": np.array([[10**400] * 4] * MOST)},
        {"boxes": None},
        {"scores": np.full(MOST, np.inf)},
        {"scores": np.zeros(2)},
        {"scores": np.zeros((MOST, 2))},
        {"classes": np.full(MOST, 4)},
        {"classes": np.full(MOST, -1)},
        {"classes": np.zeros(MOST)},
        {"masks": np.full((MOST, 28, 28), np.nan)},
        {"masks": np.zeros((MOST, 28))},
        {"masks": np.zeros((2, 28, 28))},
        {"masks": np.zeros((MOST, 28, 0))},
        {"masks": np.zeros((MOST, 1, 257))},
        {"masks": np.array({})},
        {"labels": np.array(["a"])},
        {"labels": np.array("none")},
        {"labels": np.array([1, 2])},
    ],
    ids=str,
)
def test_what_is_no_answer_is_an_error(answered, change):
    with pytest.raises((ValueError, TypeError)):
        TASK.lines({**answered, **change})
    with pytest.raises((ValueError, TypeError)):
        TASK.pictures({**answered, **change}, encode(picture(0), "PNG"))


@pytest.mark.parametrize(
    "box", [[0, 0, 1e30, 5], [-1e30, 0, 5, 5], [0, -9, 5, 5], [9, 9, 2, 2], [0, 0, 70, 60]], ids=str
)
def test_a_box_that_is_nowhere_is_an_error(answered, box):
    answered["boxes"][1] = box
    with pytest.raises(ValueError, match=r"must lie within|must be greater than"):
        TASK.pictures(answered, encode(picture(0), "PNG"))


def test_facts_and_files(detector):
    trained = trained_of(detector)
    assert TASK.files(trained) == {"labels.txt": "roof\nleaves\nsky\n"}
    facts = TASK.facts(trained)
    assert (facts["classes"], facts["objects of an image, at most"]) == (3, MOST)
    assert facts["short side of whole images, at most"] == 64
    assert facts["long side of whole images, at most"] == 96
    assert TASK.page({"labels.txt": "ant\nbee\n"}) == {"labels": ["ant", "bee"]}
