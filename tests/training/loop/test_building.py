"""Building what is trained, of a recipe and a task."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from tests.training.small import RECIPE, SOURCE, small_network
from training.loop.building import make_trainer
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
    with pytest.warns(UserWarning, match="not loaded, unchanged: predictions/0"):
        tuned, report = make_trainer(
            STRATEGY, larger, TASK, SOURCE, 5, weights=tmp_path / "model.keras"
        )
    assert set(report.skipped) == {"predictions/0", "predictions/1"}
    assert tuned.network.input_shape == (None, 64, 64, 3)
    assert tuned.network.output_shape == (None, 7)
    sources = {v.path: v.numpy() for v in network.trainable_variables}
    for variable in tuned.network.trainable_variables:
        if not variable.path.startswith("predictions"):
            np.testing.assert_array_equal(variable, sources[variable.path])


def test_weights_of_another_network_are_refused(tmp_path):
    (tmp_path / "x.keras").write_text("nothing")
    with pytest.raises(SettingError, match=r"`weights` must be a weights file"):
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
