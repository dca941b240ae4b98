"""AdamW: its schedule, its update, and which weights it decays."""

import dataclasses
import sys

import keras
import numpy as np
import pytest

from common.errors import SettingError
from pale_tf import PaleConfig, pale_backbone, pale_network
from pale_tf.decay import no_weight_decay
from tests.training.loop import scaled_replicas
from tests.training.runs import finish
from tests.training.small import RECIPE
from training.loop.optimizer import AdamW, LinearDecay, StepDecay, make_optimizer, make_schedule


def decayed_paths(network):
    """Paths of the weights that the optimizer of a recipe decays."""
    optimizer = make_optimizer(RECIPE, 19, no_weight_decay(network))
    optimizer.build(network.trainable_variables)
    return {v.path for v in network.trainable_variables if optimizer._use_weight_decay(v)}


def test_learning_rate_warms_up_and_decays_to_0():
    recipe = dataclasses.replace(RECIPE, epochs=10, warmup_epochs=2, learning_rate=0.25)
    recipe = dataclasses.replace(recipe, batch_size=16, base_batch_size=8)
    schedule = make_schedule(recipe, steps_per_epoch=7)
    assert float(schedule(0)) == 0.0
    assert float(schedule(7)) == pytest.approx(0.25)
    assert float(schedule(14)) == pytest.approx(0.5)
    assert float(schedule(14 + 28)) == pytest.approx(0.25)
    assert float(schedule(70)) == pytest.approx(0.0, abs=1e-6)


def test_a_schedule_that_there_is_not_is_refused():
    recipe = dataclasses.replace(RECIPE, schedule="linaer")
    message = r"`schedule` must be one of cosine, linear, steps. .*'linaer'"
    with pytest.raises(SettingError, match=message):
        make_schedule(recipe, steps_per_epoch=7)


def test_a_linear_schedule_warms_up_and_falls_in_a_line():
    recipe = dataclasses.replace(RECIPE, epochs=10, warmup_epochs=1.5, schedule="linear")
    schedule = make_schedule(recipe, steps_per_epoch=4)
    peak, steps = recipe.learning_rate, np.arange(42)
    expected = np.interp(steps, [0, 6, 40], [0, peak, 0])
    found = [float(schedule(step)) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    unwarmed = make_schedule(dataclasses.replace(recipe, warmup_epochs=0), steps_per_epoch=4)
    assert float(unwarmed(0)) == pytest.approx(peak)
    again = LinearDecay.from_config(schedule.get_config())
    assert float(again(7)) == float(schedule(7))


def test_a_schedule_of_steps_divides_by_ten_after_each():
    recipe = dataclasses.replace(
        RECIPE, epochs=12, warmup_epochs=0.5, schedule="steps", drops=[8, 11]
    )
    schedule = make_schedule(recipe, steps_per_epoch=4)
    peak = recipe.learning_rate
    expected = [0, peak / 2, *[peak] * 30, *[peak / 10] * 12, *[peak / 100] * 6]
    found = [float(schedule(step)) for step in range(50)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-12)
    again = StepDecay.from_config(schedule.get_config())
    assert float(again(33)) == float(schedule(33))


@pytest.mark.parametrize(("schedule", "drops"), [("steps", []), ("cosine", [8])])
def test_drops_that_do_not_go_with_the_schedule_are_refused(schedule, drops):
    recipe = dataclasses.replace(RECIPE, schedule=schedule, drops=drops)
    with pytest.raises(SettingError, match=rf"`drops` must be given for .*'{schedule}'"):
        make_schedule(recipe, steps_per_epoch=7)


def test_drops_after_the_run_are_refused():
    recipe = dataclasses.replace(RECIPE, epochs=6, schedule="steps", drops=[4, 8])
    with pytest.raises(SettingError, match=r"`drops` must be before the last epoch, 6. .*\[4, 8\]"):
        make_schedule(recipe, steps_per_epoch=7)


def test_a_short_run_warms_up_for_half_of_it():
    recipe = dataclasses.replace(RECIPE, epochs=1, warmup_epochs=3, learning_rate=0.5)
    schedule = make_schedule(recipe, steps_per_epoch=4)
    rates = [float(schedule(step)) for step in range(5)]
    assert rates == pytest.approx([0.0, 0.25, 0.5, 0.25, 0.0], abs=1e-6)


def test_updates_are_those_of_keras():
    """Also where a gradient is nearly 0, which the test of a whole step leaves out."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 50)).astype("float32")
    ends = []
    gradients = rng.normal(size=(4, 3, 50)) * 10.0 ** rng.integers(-9, 2, (4, 3, 50))
    for make in (AdamW, keras.optimizers.AdamW):
        variable = keras.Variable(start)
        optimizer = make(0.01, weight_decay=0.1, global_clipnorm=5.0)
        for gradient in gradients.astype("float32"):
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        ends.append(variable.numpy())
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)
    assert np.abs(ends[0] - start).max() > 0.01


def test_the_optimizer_takes_its_rates_from_the_recipe():
    recipe = dataclasses.replace(RECIPE, weight_decay=0.03, beta_2=0.95, clip_norm=2.0)
    optimizer = make_optimizer(recipe, 4)
    found = optimizer.weight_decay, optimizer.beta_2, optimizer.global_clipnorm
    assert found == (0.03, 0.95, 2.0)
    assert make_optimizer(RECIPE, 4).beta_2 == 0.999  # AdamW's own


def test_norms_biases_and_position_kernels_are_not_decayed():
    network = pale_network("pale_n", input_shape=(32, 32, 3), classes=10)
    decayed = decayed_paths(network)
    kernels = {v.path for v in network.trainable_variables if v.path.endswith("kernel")}
    positions = {path for path in kernels if "position" in path}
    assert len(positions) == 7  # one a block
    assert decayed == kernels - positions


@pytest.mark.parametrize(
    ("attention", "name"),
    [
        ("shifted_window", "position_table"),
        ("messenger", "messenger"),
        ("messenger", "position_table"),
    ],
)
def test_weights_of_an_attention_for_positions_are_not_decayed(attention, name):
    config = PaleConfig(
        name="narrow",
        embed_dim=32,
        depths=(1, 1, 1, 1),
        num_heads=(2, 4, 8, 16),
        attention=attention,
        position="absolute",
    )
    network = pale_backbone(config, input_shape=(64, 64, 3))
    paths = {v.path for v in network.trainable_variables}
    assert any(path.endswith(f"attention/{name}") for path in paths)
    assert "stage1_position/map" in paths
    assert decayed_paths(network) == {path for path in paths if path.endswith("kernel")}


def test_a_scaled_variable_is_updated_and_decayed_at_its_own_rate():
    """As two optimizers, each with a learning rate of its own."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 50)).astype("float32")
    gradients = rng.normal(size=(4, 3, 50)).astype("float32")
    ends, rates = [], (0.02, 0.02 * 0.1)
    for rate in rates:
        variable = keras.Variable(start)
        optimizer = keras.optimizers.AdamW(rate, weight_decay=0.5)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        ends.append(variable.numpy())
    assert np.abs(ends[0] - ends[1]).max() > 0.01
    variables = [keras.Variable(start), keras.Variable(start), keras.Variable(start)]
    scales = {id(variables[0]): 1.0, id(variables[1]): 0.1, id(variables[2]): 0.1}
    optimizer = AdamW(0.02, weight_decay=0.5, scales=scales)
    optimizer.exclude_from_weight_decay(var_list=[variables[2]])
    optimizer.build(variables)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)] * 3, variables)
    np.testing.assert_allclose(variables[0], ends[0], atol=1e-6)
    np.testing.assert_allclose(variables[1], ends[1], atol=1e-6)
    decayed = np.prod([1 - 0.5 * rates[1]] * 4) * start
    assert np.abs(variables[2].numpy() - variables[1].numpy()).max() == pytest.approx(
        np.abs(start - decayed).max(), rel=0.01
    )


@pytest.mark.slow
def test_scales_hold_on_two_replicas():
    finish(command=[sys.executable, scaled_replicas.__file__])
