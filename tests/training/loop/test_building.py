"""Building what is trained, of a recipe and a task."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from tests.training.small import RECIPE, SOURCE, batches, fit, small_network
from training.loop.building import make_trainer
from training.loop.run_folder import save_networks
from training.tasks import classify

STRATEGY = tf.distribute.get_strategy()
# The network of a task is its own matter: a small one is enough here.
TASK = dataclasses.replace(
    classify.TASK,
    make_network=lambda recipe, source: small_network(len(source.labels), recipe.image_size),
)


def test_the_task_decides_network_and_metrics():
    trainer, notes = make_trainer(STRATEGY, RECIPE, TASK, SOURCE, 5)
    assert notes is None
    assert trainer.network.output_shape == (None, 7)
    assert [metric.name for metric in trainer.metrics] == ["loss", "accuracy", "top5"]
    assert (trainer.accumulate, trainer.ema_decay) == (RECIPE.accumulate, RECIPE.ema_decay)
    assert float(trainer.optimizer.weight_decay) == RECIPE.weight_decay


def test_settings_of_the_recipe_may_change_the_loss():
    def make_loss(settings):
        return lambda outputs, targets: settings["factor"] * tf.reduce_sum(outputs, axis=-1)

    recipe = dataclasses.replace(RECIPE, settings={"factor": 3.0})
    task = dataclasses.replace(TASK, make_loss=make_loss, make_metrics=lambda recipe, source: [])
    trainer, _ = make_trainer(STRATEGY, recipe, task, SOURCE, 5)
    np.testing.assert_array_equal(trainer.task.loss(tf.ones((2, 7)), None), [21.0, 21.0])
    unchanged, _ = make_trainer(STRATEGY, RECIPE, TASK, SOURCE, 5)
    assert unchanged.task.loss is TASK.loss


def test_fine_tunes_at_another_size_and_class_count(tmp_path):
    larger = dataclasses.replace(RECIPE, image_size=64)
    network = small_network(10)
    network.save(tmp_path / "model.keras")
    tuned, report = make_trainer(
        STRATEGY, larger, TASK, SOURCE, 5, weights=tmp_path / "model.keras"
    )
    assert "not loaded, unchanged: predictions/0" in str(report)
    assert set(report.skipped) == {"predictions/0", "predictions/1"}
    assert tuned.network.input_shape == (None, 64, 64, 3)
    assert tuned.network.output_shape == (None, 7)
    sources = {v.path: v.numpy() for v in network.trainable_variables}
    for variable in tuned.network.trainable_variables:
        if not variable.path.startswith("predictions"):
            np.testing.assert_array_equal(variable, sources[variable.path])


def test_weights_of_another_network_are_refused(tmp_path):
    (tmp_path / "x.keras").write_text("nothing")
    with pytest.raises(SettingError, match=r"argument --weights: must be a weights file"):
        make_trainer(STRATEGY, RECIPE, TASK, SOURCE, 5, weights=tmp_path / "x.keras")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = small_network()
    kernel = network.get_layer("stage2_block1_attention").trainable_weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    network.save(tmp_path / "model.keras")
    with pytest.raises(
        SettingError, match=r"--weights: .*model.keras has values that are not finite, in stage2_"
    ):
        make_trainer(STRATEGY, RECIPE, TASK, SOURCE, 5, weights=tmp_path / "model.keras")


def test_a_network_that_there_is_not_is_a_setting_error():
    recipe = dataclasses.replace(RECIPE, model="swin_t", attention="pale")
    with pytest.raises(SettingError, match="`num_heads` must be 1 or even"):
        make_trainer(STRATEGY, recipe, classify.TASK, SOURCE, 5)


def train_one_step(**changes):
    """Weights before and after a step at a full learning rate, by path, and the trainer."""
    recipe = dataclasses.replace(RECIPE, **{"warmup_epochs": 0, "clip_norm": None} | changes)
    keras.utils.set_random_seed(0)
    trainer, _ = make_trainer(STRATEGY, recipe, TASK, SOURCE, 5)
    before = {v.path: v.numpy() for v in trainer.network.variables}
    images, labels = batches(1)
    fit(trainer, images, labels)
    return before, {v.path: v.numpy() for v in trainer.network.variables}, trainer


@pytest.fixture(scope="module")
def undecayed():
    """`train_one_step` with nothing frozen, and without weight decay."""
    return train_one_step(weight_decay=0.0)


def test_frozen_stages_stay_and_the_others_learn_as_before(undecayed, tmp_path):
    start, free, _ = undecayed
    before, after, trainer = train_one_step(weight_decay=0.0, freeze=[1, 2])
    assert before.keys() == start.keys()
    for path, value in before.items():
        np.testing.assert_array_equal(value, start[path])
        if path.startswith(("stage1", "stage2")):  # statistics of norms too
            np.testing.assert_array_equal(after[path], value, err_msg=path)
            assert "moving" not in path or (free[path] != value).any()
        else:
            assert (after[path] != value).any() == (free[path] != value).any(), path
    trained = {v.path.replace("/", "_").split("_")[0] for v in trainer.network.trainable_variables}
    assert trained == {"stage3", "stage4", "predictions"}
    save_networks(tmp_path, trainer)
    for name in ("model.keras", "model_ema.keras"):
        network = keras.saving.load_model(tmp_path / name)
        assert all(layer.trainable for layer in network.layers)
        assert len(network.trainable_variables) > len(trainer.optimizer._momentums)


def test_layer_decay_slows_down_what_is_close_to_the_image(undecayed):
    _, free, _ = undecayed
    before, after, _ = train_one_step(weight_decay=0.0, layer_decay=0.5)
    # Of one block each: blocks 1 to 4, the head 5. The gradients of the first step are the same.
    for path, power in {
        "stage1_merging/convolution/kernel": 5,
        "stage1_block1_mlp/expand/kernel": 4,
        "stage4_block1_mlp/contract/kernel": 1,
        "predictions/kernel": 0,
    }.items():
        moved, freely = after[path] - before[path], free[path] - before[path]
        assert np.abs(freely).max() > 1e-3
        np.testing.assert_allclose(moved, freely * 0.5**power, rtol=1e-2, atol=1e-6)


def test_a_teacher_moves_the_targets_of_the_loss_alone():
    images, labels = batches(1)
    told = np.random.default_rng(1).dirichlet(np.ones(7), 8).astype("float32")

    def outcome(targets, teach=None):
        task = TASK
        if teach is not None:
            task = dataclasses.replace(TASK, make_teacher=lambda recipe, source: teach)
        recipe = dataclasses.replace(RECIPE, warmup_epochs=0, teacher=teach and "some")
        keras.utils.set_random_seed(0)
        trainer, _ = make_trainer(STRATEGY, recipe, task, SOURCE, 5)
        (step,) = fit(trainer, images, targets)
        weights = [v.numpy() for v in trainer.network.trainable_variables]
        return step, weights, float(trainer.scores[1].result())

    def soften(given, targets):
        assert given.shape == (8, 32, 32, 3)
        return 0.25 * targets + 0.75 * told

    by_hand, expected, _ = outcome((0.25 * labels + 0.75 * told).astype("float32"))
    taught, actual, accuracy = outcome(labels, soften)
    assert taught["loss"] == pytest.approx(by_hand["loss"], rel=1e-5)
    assert taught["gradient_norm"] == pytest.approx(by_hand["gradient_norm"], rel=1e-4)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    _, untaught, plain_accuracy = outcome(labels)
    assert accuracy == plain_accuracy  # of the labels
    assert any((one != other).any() for one, other in zip(actual, untaught, strict=True))
