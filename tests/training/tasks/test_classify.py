"""Classification: images and labels, the network, and predictions."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from common.trained import Trained
from pale_tf.configs import NETWORKS
from tests.training.pixels import ramps, with_bad_tables, write_images
from tests.training.small import SOURCE
from training.data.sources import open_source
from training.recipe import load_recipe
from training.tasks import classify
from training.tasks.classify import Settings, training_image

RECIPE = load_recipe("digits")
CROP = Settings(crop_area=0.35, flip=True)
NO_CROP = Settings(crop_fraction=0.875)


def test_a_random_crop_of_a_jpeg_is_a_part_of_it():
    """Both channels are ramps: their ends tell which part, and their order whether mirrored."""
    image = np.repeat(np.repeat(ramps(25, 30), 8, axis=0), 8, axis=1) * 8  # JPEG blurs by blocks
    encoded = tf.io.encode_jpeg(image, quality=100, chroma_downsampling=False)
    crop = tf.function(lambda seed: training_image(encoded, seed, 24, CROP))
    areas, ratios, mirrored = [], [], []
    for seed in range(200):
        result, readable = crop(tf.constant([seed, 1]))
        assert readable
        result = result.numpy()
        rows, columns = result[..., 0].mean(1), result[..., 1].mean(0)
        mirrored.append(columns[0] > columns[-1])
        height, width = rows[-1] - rows[0], abs(columns[-1] - columns[0])
        assert (np.diff(rows) > -2).all()
        areas.append(height * width / (200 * 240))
        ratios.append(width / height)
        again, _ = crop(tf.constant([seed, 1]))
        np.testing.assert_array_equal(again, result)
    assert CROP.crop_area * 0.75 < min(areas) < 0.45
    assert 0.8 < max(areas) <= 1.0
    assert 0.6 < min(ratios) < 0.85 < 1.2 < max(ratios) < 1.5
    assert 60 < sum(mirrored) < 140


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
@pytest.mark.parametrize("settings", [CROP, NO_CROP], ids=["crop", "no crop"])
def test_formats(encode, settings):
    encoded = encode(ramps(30, 40))
    result, readable = training_image(encoded, tf.constant([0, 0]), 24, settings)
    assert readable
    assert result.shape == (24, 24, 3)
    assert result.dtype == tf.float32


@pytest.mark.parametrize("settings", [CROP, NO_CROP], ids=["crop", "no crop"])
def test_without_guard_the_same_and_errors(settings):
    encoded = tf.io.encode_jpeg(ramps(60, 70)).numpy()
    seed = tf.constant([5, 6])
    for content in (encoded, encoded[:-20], b"text"):
        guarded = training_image(tf.constant(content), seed, 24, settings)
        unguarded = training_image(tf.constant(content), seed, 24, settings, guarded=False)
        np.testing.assert_array_equal(unguarded[0], guarded[0])
        assert unguarded[1] == guarded[1]
    broken = tf.constant(with_bad_tables(encoded))
    with pytest.raises(tf.errors.InvalidArgumentError):
        training_image(broken, seed, 24, settings, guarded=False)


@pytest.mark.parametrize("settings", [CROP, NO_CROP], ids=["crop", "no crop"])
def test_unreadable_images_are_black_and_said_to_be(settings):
    """Also where the part that is cropped comes before the part that is missing."""
    encoded = tf.io.encode_jpeg(ramps(200, 200)).numpy()[:-200]
    for seed in range(6):
        image, readable = training_image(tf.constant(encoded), tf.constant([seed, 0]), 24, settings)
        assert not readable
        assert image.shape == (24, 24, 3)
        assert not image.numpy().any()
    recipe = dataclasses.replace(RECIPE, image_size=24)
    transforms = classify.make_transforms(recipe, SOURCE)
    image, target, readable = transforms.evaluation(tf.constant(encoded), 2)
    assert not readable
    assert not image.numpy().any()
    assert target.shape == (7,)


def test_labels_become_smoothed_distributions():
    recipe = dataclasses.replace(RECIPE, settings={"label_smoothing": 0.2})
    transforms = classify.make_transforms(recipe, SOURCE)
    images = tf.ones((3, 4, 4, 3))
    same, targets = transforms.batch(images, tf.constant([0, 6, 3]), tf.constant([1, 2]))
    np.testing.assert_array_equal(same, images)
    expected = np.full((3, 7), 0.2 / 7)
    expected[[0, 1, 2], [0, 6, 3]] += 0.8
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    _, target, readable = transforms.evaluation(tf.io.encode_png(ramps(5, 6)), 4)
    assert readable
    np.testing.assert_array_equal(target, np.eye(7)[4])  # which evaluation does not smooth


def test_the_loss_is_cross_entropy():
    rng = np.random.default_rng(0)
    outputs, targets = rng.dirichlet(np.ones(7), (2, 5)).astype("float32")
    expected = -(targets.astype("float64") * np.log(outputs)).sum(axis=1)
    np.testing.assert_allclose(classify.TASK.loss(outputs, targets), expected, rtol=1e-4)


@pytest.mark.parametrize(("classes", "names"), [(5, ["accuracy"]), (7, ["accuracy", "top5"])])
def test_top5_is_for_more_than_five_classes(classes, names):
    source = dataclasses.replace(SOURCE, labels=SOURCE.labels[:classes])
    assert [metric.name for metric in classify.make_metrics(RECIPE, source)] == names


def test_one_class_alone_is_refused(tmp_path):
    """As where all other classes are in a format that is not read."""
    write_images(tmp_path, ["cat", "dog"], 10)
    for path in (tmp_path / "dog").iterdir():
        path.rename(path.with_suffix(".tiff"))
    source = open_source(f"folder:{tmp_path}")
    message = r"has one class alone, \['cat'\]; passed over: 10 not JPEG.*dog/0\.tiff"
    with pytest.raises(SettingError, match=message):
        classify.make_network(RECIPE, source)


def test_the_network_is_that_of_the_recipe():
    recipe = dataclasses.replace(RECIPE, image_size=64, attention="shifted_window")
    network = classify.make_network(recipe, SOURCE)
    assert network.input_shape == (None, 64, 64, 3)
    assert network.output_shape == (None, 7)
    assert type(network.get_layer("stage1_block1_attention")).__name__ == "WindowAttention"


def test_drop_path_defaults_to_the_models():
    assert RECIPE.drop_path_rate is None
    layers = classify.make_network(RECIPE, SOURCE)._flatten_layers()
    rates = [layer.rate for layer in layers if layer.name.endswith("drop_path1")]
    assert max(rates) == NETWORKS["pale_n"].drop_path_rate > 0
    recipe = dataclasses.replace(RECIPE, drop_path_rate=0.0)
    layers = classify.make_network(recipe, SOURCE)._flatten_layers()
    assert not any("drop_path" in layer.name for layer in layers)


def brightness_network(classes):
    """Puts images of brightness 0, 1, 2… into class 0, 1, 2…, with a probability of about 1."""
    images = keras.Input((4, 4, 3))
    brightness = keras.ops.mean(images, axis=(1, 2, 3))[:, None]
    distance = keras.ops.abs(brightness - keras.ops.arange(classes, dtype="float32"))
    return keras.Model(images, keras.ops.softmax(-distance))


def test_predicts_the_most_probable_classes():
    trained = Trained(
        brightness_network(7), pathlib.Path("run/model.keras"), {"settings": {}}, SOURCE.labels
    )
    images = [np.full((9, 5, 3), value, "uint8") for value in (6, 0)]
    first, second = classify.predict(trained, images)
    weights = np.exp(-np.arange(7.0))
    expected = [f"{weights[i] / weights.sum():7.2%}" for i in range(5)]
    assert first.lines == [f"{expected[i]}  class {6 - i}" for i in range(5)]
    assert second.lines == [f"{expected[i]}  class {i}" for i in range(5)]
    assert not first.files


def test_images_are_asked_for_a_batch_at_a_time():
    trained = Trained(
        brightness_network(7), pathlib.Path("run/model.keras"), {"settings": {}}, SOURCE.labels
    )
    images = iter([np.full((4, 4, 3), index % 7, "uint8") for index in range(70)])
    answers = classify.predict(trained, images)
    first = next(answers)
    assert len(list(images)) == 70 - classify.BATCH
    rest = list(answers)
    assert len(rest) == classify.BATCH - 1
    for index, answer in enumerate([first, *rest]):
        assert answer.lines[0].endswith(f"class {index % 7}")


def test_predicts_with_the_crop_of_the_run():
    """The middle of the image is bright; without the crop, so is not its mean."""
    image = np.zeros((8, 8, 3), "uint8")
    image[2:6, 2:6] = 6
    best = []
    for settings in ({}, {"crop_fraction": 0.5}):
        trained = Trained(
            brightness_network(7),
            pathlib.Path("model.keras"),
            {"settings": settings},
            list("0123456"),
        )
        (answer,) = classify.predict(trained, [image])
        best.append(int(answer.lines[0].split()[-1]))
    assert best[0] < best[1] == 6


@pytest.mark.parametrize("labels", [["a"], ["a", "b"]])
def test_labels_of_another_network_are_refused(labels):
    trained = Trained(
        brightness_network(7), pathlib.Path("run/model.keras"), {"settings": {}}, labels
    )
    message = f"argument RUN: run has {len(labels)} labels for a network of 7 classes"
    with pytest.raises(SettingError, match=message):
        list(classify.predict(trained, [np.zeros((4, 4, 3), "uint8")]))
