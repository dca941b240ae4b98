"""The task of detection: its networks, losses and predictions."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig
from tests.training.coco_folder import LAYOUTS, write_coco
from training.data.batches import training_batches
from training.data.unreadable import Unreadable
from training.detection.network import IMAGE_INPUTS, LOSSES, OBJECT_INPUTS
from training.loop.evaluation import evaluate_networks
from training.loop.optimizer import make_optimizer
from training.loop.trainer import Trainer
from training.recipe import load_recipe
from training.tasks.detect import TASK, Settings

SMALL = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2), drop_path_rate=0.0)
RECIPE = dataclasses.replace(
    load_recipe("digit_scenes_detect"),
    model=SMALL,
    batch_size=2,
    settings={"channels": 8, "regions": 16, "short_sides": [40, 60], "long_side": 80, "flip": True},
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    LAYOUTS["cvat"](folder)
    return TASK.open_source(f"coco:{folder}")


@pytest.fixture(scope="module")
def trainer(source):
    keras.utils.set_random_seed(0)
    network = TASK.make_network(RECIPE, source)
    made = Trainer(network, TASK, TASK.make_metrics(RECIPE, source))
    made.compile(make_optimizer(RECIPE, 5, ()), jit_compile=False)
    made.optimizer.build(network.trainable_variables)
    return made


def batches(source, count=1):
    transforms = TASK.make_transforms(RECIPE, source)
    made = training_batches(source, transforms, 2, 0, 0, Unreadable(9), padding=TASK.padding)
    return made.take(count)


def test_batches_are_padded_and_whole(source):
    for images, targets in batches(source, 3):
        assert images.shape[0] == 2
        assert images.shape[1] == max(targets["size"][:, 0])
        assert images.shape[2] == max(targets["size"][:, 1])
        assert {*IMAGE_INPUTS, *OBJECT_INPUTS} <= set(targets)
        for image, (height, width) in zip(images.numpy(), targets["size"].numpy(), strict=True):
            np.testing.assert_allclose(
                image[height:], np.broadcast_to([123.675, 116.28, 103.53], image[height:].shape)
            )
            assert image[:height, :width].std() > 10


def test_steps_log_every_loss(source, trainer):
    trainer.fit(batches(source, 4), shuffle=False, verbose=0)
    found = {name: float(value) for name, value in trainer.get_metrics_result().items()}
    assert set(found) == {"loss", *LOSSES}
    assert np.isfinite(list(found.values())).all()
    parts = sum(value for name, value in found.items() if name != "loss")
    assert found["loss"] == pytest.approx(parts, rel=1e-5)


@pytest.mark.slow
def test_boxes_alone_are_trained_too(source):
    """On data with masks, of which `masks=False` makes no use."""
    recipe = dataclasses.replace(RECIPE, settings=RECIPE.settings | {"masks": False})
    network = TASK.make_network(recipe, source)
    assert "masks" not in TASK.finish(network).output
    made = Trainer(network, TASK, TASK.make_metrics(recipe, source))
    made.compile(make_optimizer(recipe, 5, ()), jit_compile=False)
    made.optimizer.build(network.trainable_variables)
    made.fit(batches(source), shuffle=False, verbose=0)
    assert set(made.get_metrics_result()) == {"loss", *LOSSES} - {"masks"}
    infer = TASK.make_inference(made.finished, recipe.settings)
    transforms = TASK.make_transforms(recipe, source)
    reports = evaluate_networks(
        {"": infer}, TASK, source, "validation", transforms, 2, Unreadable(0)
    )
    assert {name.split("_")[0] for name in reports[""].scores()} == {"box"}


def test_losses_are_finite_whatever_the_objects_are(source, trainer):
    """No box, one pixel, a hundred boxes, all of them crowds."""
    ((images, targets),) = batches(source)
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 30, (2, 100, 2))
    many = np.concatenate([corners, corners + rng.uniform(0, 20, (2, 100, 2))], -1)
    pixel = np.tile([5.0, 5.0, 6.0, 6.0], (2, 1, 1))
    for boxes, labels, crowds in (
        (np.zeros((2, 0, 4)), 0, False),
        (np.zeros((2, 3, 4)), -1, False),
        (pixel, 1, False),
        (many, 1, False),
        (many, 0, True),
        (np.zeros((2, 1, 4)), 0, False),
    ):
        count = boxes.shape[1]
        given = {
            **targets,
            "boxes": tf.constant(boxes, tf.float32),
            "labels": tf.fill((2, count), labels),
            "crowds": tf.fill((2, count), crowds),
        }
        inputs = TASK.join(images, given)
        with tf.GradientTape() as tape:
            losses = trainer.network(inputs, training=True)
            loss = tf.reduce_sum(TASK.loss(losses, given))
        gradients = tape.gradient(loss, [v.value for v in trainer.network.trainable_variables])
        assert np.isfinite(loss)
        for gradient in gradients:
            if gradient is not None:
                assert np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.slow
def test_it_learns_eight_images_by_heart(tmp_path):
    """AP of 0.95 and more: what is lost between assignment, losses and boxes would be missing."""
    write_coco(tmp_path, range(8), range(8))
    source = TASK.open_source(f"coco:{tmp_path}")
    settings = {"channels": 32, "regions": 64, "short_sides": [96, 96], "long_side": 160}
    recipe = dataclasses.replace(
        RECIPE,
        model=PaleConfig("small", 16, (1, 1, 1, 1), (2, 2, 4, 4), pale_size=2, drop_path_rate=0.0),
        batch_size=8,
        learning_rate=2e-3,
        epochs=1,
        warmup_epochs=0.1,
        ema_decay=0.0,
        settings=settings,
    )
    keras.utils.set_random_seed(0)
    steps = 300
    trainer = Trainer(TASK.make_network(recipe, source), TASK, TASK.make_metrics(recipe, source))
    trainer.compile(make_optimizer(recipe, steps, ()), jit_compile=False)
    trainer.optimizer.build(trainer.network.trainable_variables)
    transforms = TASK.make_transforms(recipe, source)
    endless = training_batches(source, transforms, 8, 0, 0, Unreadable(0), padding=TASK.padding)
    trainer.fit(endless, steps_per_epoch=steps, shuffle=False, verbose=0)
    infer = TASK.make_inference(trainer.finished, settings)
    reports = evaluate_networks({"": infer}, TASK, source, "train", transforms, 8, Unreadable(0))
    scores = reports[""].scores()
    print(scores)
    assert scores["box_ap"] >= 0.95
    assert scores["mask_ap"] >= 0.95


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"short_sides": (5,)}, r"`short_sides` must be two integers. Received: \[5\]"),
        ({"short_sides": (800, 600)}, "the smaller one first"),
        ({"short_sides": (800, 1400)}, "at most `long_side`"),
        ({"regions": 1}, "`regions` must be an integer of 4 or more. Received: 1"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
