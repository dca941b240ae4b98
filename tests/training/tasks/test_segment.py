"""Segmentation: images and masks, the loss, and predictions."""

import dataclasses
import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common import preparation
from common.errors import SettingError
from common.overlays import encode_mask
from common.trained import Trained
from pale_tf import PaleConfig, pale_segmenter
from tests.training.class_maps import maps
from tests.training.mask_folder import CLASSES, photograph, write_folder
from training.data.mask_sources import MaskSource, open_mask_source
from training.data.masks import IGNORED
from training.recipe import load_recipe
from training.tasks import check_settings, segment

CONFIG = PaleConfig("small", 8, (1, 1, 1, 1), (2, 2, 2, 2), pale_size=2, drop_path_rate=0.0)
TABLE = np.array([0, 1, 2])
SOURCE = MaskSource(list(CLASSES), {}, None, table=TABLE)


def recipe(**settings):
    given = {"channels": 8, **settings}
    return dataclasses.replace(
        load_recipe("digit_scenes"), model=CONFIG, image_size=48, settings=given
    )


def encoded(seed=0, size=(60, 80)):
    image, mask = photograph(seed, size)
    return tf.io.encode_png(image), tf.constant(encode_mask(mask, 3)), image, mask


def test_image_and_mask_go_through_the_same_geometry():
    """The mask tells, pixel by pixel, what the image is at that place."""
    mask = np.random.default_rng(0).integers(0, 3, (12, 16)).repeat(5, 0).repeat(5, 1)
    image = (80 * mask[..., None]).repeat(3, -1).astype("uint8")
    settings = {"scales": (0.6, 1.6), "flip": True, "largest_share": 0.75}
    transforms = segment.make_transforms(recipe(**settings), SOURCE)
    given = tf.io.encode_png(image), tf.constant(encode_mask(mask, 3))
    run, seen = tf.function(transforms.training), set()
    for seed in range(12):
        cut, target, readable = run(*given, tf.constant([0, seed]), True)
        assert readable
        assert cut.shape == (48, 48, 3)
        target = target.numpy()
        outside = target == IGNORED
        # Next to an edge, interpolation mixes two classes.
        near = np.abs(cut.numpy()[..., 0] - 80.0 * target) < 45
        assert near[~outside].mean() > 0.93
        np.testing.assert_allclose(cut.numpy()[outside], np.tile(segment.FILL, (outside.sum(), 1)))
        seen.add(outside.any())
        again, *_ = run(*given, tf.constant([0, seed]), True)
        np.testing.assert_array_equal(again, cut)
    assert seen == {True, False}


def test_evaluation_takes_the_middle_and_the_whole_image_as_they_are():
    transforms = segment.make_transforms(recipe(), SOURCE)
    content, mask_content, image, mask = encoded(1)
    middle, target, readable = transforms.evaluation(content, mask_content)
    assert readable
    np.testing.assert_allclose(middle, image[6:54, 16:64], atol=1e-4)
    np.testing.assert_array_equal(target, mask[6:54, 16:64])
    whole, target, _ = transforms.whole(content, mask_content)
    np.testing.assert_array_equal(whole, image)
    np.testing.assert_array_equal(target, mask)


@pytest.mark.parametrize("damage", ["size", "class", "missing", "broken", "image"])
def test_pairs_that_are_none_are_unreadable(damage):
    content, mask_content, image, mask = encoded(2)
    if damage == "size":
        mask_content = tf.constant(encode_mask(mask[:-1], 3))
    if damage == "class":
        mask_content = tf.constant(encode_mask(np.where(mask == 2, 200, mask), 201))
    if damage == "missing":
        mask_content = tf.constant(b"")
    if damage == "broken":
        mask_content = tf.strings.substr(mask_content, 0, 60)
    if damage == "image":
        content = tf.constant(b"no image")
    transforms = segment.make_transforms(recipe(largest_share=0.75, photometric=True), SOURCE)
    results = [transforms.training(content, mask_content, tf.constant([0, 1]), True)]
    results += [transforms.evaluation(content, mask_content)]
    for image, target, readable in results:
        assert not readable
        assert image.shape == (48, 48, 3)
        assert (target.numpy() == IGNORED).all()
    assert not transforms.whole(content, mask_content)[2]


def test_the_loss_is_the_cross_entropy_of_the_pixels_that_count():
    target, _ = maps()
    rng = np.random.default_rng(1)
    logits = {head: rng.normal(size=(*target.shape, 5)) for head in ("main", "auxiliary")}

    def reference(logits):
        exponentials = np.exp(logits)
        probabilities = exponentials / exponentials.sum(-1, keepdims=True)
        losses = np.zeros(len(target))
        for place in np.ndindex(target.shape):
            if target[place] != IGNORED:
                losses[place[0]] -= np.log(probabilities[place][target[place]])
        return losses, probabilities

    main, probabilities = reference(logits["main"])
    side, _ = reference(logits["auxiliary"])
    given = {head: tf.constant(value, tf.float32) for head, value in logits.items()}
    found = segment.loss(given, tf.constant(target))
    np.testing.assert_allclose(found, main + 0.4 * side, rtol=1e-5)
    np.testing.assert_allclose(segment.loss({"main": given["main"]}, target), main, rtol=1e-5)
    finished = segment.loss(tf.constant(probabilities, tf.float32), tf.constant(target))
    np.testing.assert_allclose(finished, main, rtol=1e-5)
    expected = (target != IGNORED).sum((1, 2))
    np.testing.assert_array_equal(segment.count_pixels(tf.constant(target)), expected)


def test_class_weights_are_those_of_the_pixels_with_the_logits_shifted():
    target, _ = maps()
    weights = [0.1, 1.0, 2.5, 0.7, 1.3]
    logits = np.random.default_rng(2).normal(size=(*target.shape, 5))
    shifted = np.exp(logits) * weights
    probabilities = shifted / shifted.sum(-1, keepdims=True)
    expected = np.zeros(len(target))
    for place in np.ndindex(target.shape):
        if (label := target[place]) != IGNORED:
            expected[place[0]] -= weights[label] * np.log(probabilities[place][label])
    weighted = segment.make_loss({"class_weights": weights})
    given = tf.constant(logits, tf.float32)
    np.testing.assert_allclose(weighted({"main": given}, target), expected, rtol=1e-5)
    both = weighted({"main": given, "auxiliary": given}, target)
    np.testing.assert_allclose(both, 1.4 * expected, rtol=1e-5)
    plain = segment.make_loss({})({"main": given}, target)
    np.testing.assert_array_equal(plain, segment.loss({"main": given}, target))


def test_class_weights_do_not_change_which_logits_are_the_best():
    """Where all pixels look alike, the best are the logarithms of how often a class occurs."""
    target = np.repeat(np.arange(3), [50, 10, 4]).reshape(1, 8, 8)
    best = tf.constant(np.log([50.0, 10.0, 4.0]), tf.float32)
    for weights in ([0.1, 1.0, 3.0], [1, 2, 3], None):  # whole numbers, too
        with tf.GradientTape() as tape:
            tape.watch(best)
            outputs = {"main": tf.broadcast_to(best, (1, 8, 8, 3))}
            loss = segment.make_loss({"class_weights": weights})(outputs, target)
        np.testing.assert_allclose(tape.gradient(loss, best), np.zeros(3), atol=1e-4)


def test_class_weights_that_fit_no_class_are_refused():
    with pytest.raises(SettingError, match=r"each of the 3 classes of digit_scenes. Received: 2"):
        segment.make_network(recipe(class_weights=[1.0, 1.0]), SOURCE)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="`class_weights` must be finite, above 0"):
            check_settings(segment.TASK, recipe(class_weights=[1.0, wrong, 1.0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": [1.0]}, r"`scales` must be two factors .* Received: \[1.0\]"),
        ({"scales": [1.5, 0.5]}, r"`scales` must be .* Received: \[1.5, 0.5\]"),
        ({"scales": [0, 1]}, "`scales` must be two factors above 0"),
        ({"short_side": 0}, "`short_side` must be a positive integer or None. Received: 0"),
        ({"short_side": 224.5}, "`short_side` must be .* Received: 224.5"),
        ({"largest_share": 75}, "`largest_share` must be above 0, at most 1. Received: 75"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        check_settings(segment.TASK, recipe(**settings))


def test_what_is_outside_of_an_image_keeps_its_color():
    transforms = segment.make_transforms(recipe(scales=[0.3, 0.3], photometric=True), SOURCE)
    content, mask_content, *_ = encoded(3)
    for seed in range(6):
        cut, target, _ = transforms.training(content, mask_content, tf.constant([0, seed]), True)
        outside = target.numpy() == IGNORED
        assert outside.any()
        np.testing.assert_allclose(cut.numpy()[outside], np.tile(segment.FILL, (outside.sum(), 1)))


def test_a_mask_belongs_to_the_image_as_it_is_seen():
    """A JPEG that its data say to turn is turned; its mask is not."""
    image, mask = photograph(11, (60, 80))
    stored = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # seen, it is turned by a quarter to the right
    Image.fromarray(np.rot90(image)).save(stored, "JPEG", exif=exif, quality=95)
    transforms = segment.make_transforms(recipe(), SOURCE)
    content = tf.constant(stored.getvalue())
    whole, target, readable = transforms.whole(content, tf.constant(encode_mask(mask, 3)))
    assert readable
    np.testing.assert_array_equal(target, mask)
    assert np.abs(whole.numpy() - image).mean() < 8
    turned = tf.constant(encode_mask(np.rot90(mask), 3))
    assert not transforms.whole(content, turned)[2]


def decided(network, seed=0):
    """A network whose classes differ from place to place."""
    rng = np.random.default_rng(seed)
    kernel = network.get_layer("predictions").kernel
    kernel.assign(rng.normal(0, 3, kernel.shape))
    return network


@pytest.fixture(scope="module")
def network():
    return decided(pale_segmenter(CONFIG, 3, channels=8))


def test_one_scale_without_mirroring_is_the_network_itself(network):
    image = photograph(4, (67, 91))[0][None].astype("float32")
    expected = network(image)
    for scales in ((1.0,), (1.0, 1.0)):
        infer = segment.make_inference(network, {}, scales=scales, flip=False)
        np.testing.assert_allclose(infer(image), expected, atol=1e-6)


def test_several_scales_and_mirrored_images_are_averaged(network):
    image = photograph(5, (64, 96))[0][None].astype("float32")
    expected = []
    for scale in (0.5, 1.0, 1.25):
        size = round(64 * scale), round(96 * scale)
        scaled = tf.image.resize(image, size, antialias=True)
        for step in (1, -1):
            found = network(scaled[:, :, ::step])
            expected.append(tf.image.resize(found, (64, 96))[:, :, ::step])
    found = segment.make_inference(network, {}, scales=(0.5, 1.0, 1.25), flip=True)(image)
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-5)


def test_whole_images_are_scaled_to_the_short_side_and_back(network):
    image = photograph(6, (80, 100))[0][None].astype("float32")
    found = segment.make_inference(network, {"short_side": 40})(image)
    scaled = tf.image.resize(image, (40, 50), antialias=True)
    expected = tf.image.resize(network(scaled), (80, 100))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_finished_network_gives_probabilities_without_the_auxiliary_head():
    trained = segment.make_network(recipe(), SOURCE)
    assert set(trained.output) == {"main", "auxiliary"}
    finished = segment.finish(trained)
    images = photograph(7, (48, 48))[0][None].astype("float32")
    np.testing.assert_allclose(
        finished(images), keras.ops.softmax(trained(images)["main"]), atol=1e-6
    )
    assert not any(layer.name.startswith("auxiliary") for layer in finished.layers)
    again = pale_segmenter(CONFIG, 3, channels=8)
    assert [layer.name for layer in again.layers] == [layer.name for layer in finished.layers]
    alone = segment.make_network(recipe(auxiliary=False), SOURCE)
    assert set(alone.output) == {"main"}
    swin = dataclasses.replace(recipe(output_norms=True), attention="shifted_window")
    names = {layer.name for layer in segment.make_network(swin, SOURCE).layers}
    assert "norm_P4" in names


def test_predictions_are_lines_a_mask_and_an_overlay(network, tmp_path):
    plan = {"task": "segment", "settings": {}}
    trained = Trained(network, tmp_path / "model.keras", plan, list(CLASSES))
    images = [photograph(8, (50, 70))[0], photograph(9, (33, 41))[0]]
    answers = segment.predict(trained, iter(images))
    for image, answer in zip(images, answers, strict=True):
        expected = network(image[None].astype("float32"))[0].numpy().argmax(-1)
        with Image.open(io.BytesIO(answer.files["-mask.png"])) as mask:
            assert mask.mode == "P"
            np.testing.assert_array_equal(np.asarray(mask), expected)
        with Image.open(io.BytesIO(answer.files["-overlay.png"])) as picture:
            assert picture.width >= image.shape[1]
        best = np.bincount(expected.ravel(), minlength=3)
        assert answer.lines[0].split()[1] == CLASSES[best.argmax()]
        assert answer.lines[0].split()[0] == f"{best.max() / best.sum():.2%}"
    kernel = network.get_layer("predictions").kernel
    values = kernel.numpy()
    kernel.assign(np.full_like(values, np.nan))
    with pytest.raises(SettingError, match=r"probabilities that are not finite"):
        list(segment.predict(trained, iter(images)))
    kernel.assign(values)


def test_a_large_image_is_predicted_as_a_server_does(network, monkeypatch, tmp_path):
    monkeypatch.setattr(preparation, "WHOLE_PIXELS", 1600)
    trained = Trained(network, tmp_path / "model.keras", {"settings": {}}, list(CLASSES))
    image = photograph(10, (50, 128))[0]
    (answer,) = segment.predict(trained, [image])
    given = tf.image.resize(image.astype("float32"), (25, 64), antialias=True)
    expected = tf.image.resize(network(given[None])[0], (50, 128)).numpy().argmax(-1)
    with Image.open(io.BytesIO(answer.files["-mask.png"])) as mask:
        assert (np.asarray(mask) == expected).mean() > 0.999


def test_a_folder_of_masks_becomes_batches(tmp_path):
    source = open_mask_source(f"masks:{write_folder(tmp_path, 10)}")
    assert source.labels == list(CLASSES)
    assert segment.TASK.describe(source) == "3 classes of pixels"
    transforms = segment.make_transforms(recipe(), source)
    image, mask, _ = next(iter(source.read("train")))
    image, target, readable = transforms.whole(image, mask)
    assert readable
    assert image.shape[:2] == target.shape
    assert set(np.unique(target)) == {0, 1, 2}
