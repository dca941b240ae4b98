"""Checkpoints: everything comes back, or nothing is touched."""

import numpy as np
import pytest
import tensorflow as tf

from common.errors import SettingError
from tests.training.loop import additional
from training.loop import checkpoints
from training.loop.checkpoints import Position
from training.loop.trainer import Trainer

STRATEGY = tf.distribute.get_strategy()


def make_trainer(seed):
    """A trainer with averages, whose variables are all random."""
    tiny = additional.make_trainer()
    trainer = Trainer(tiny.network, additional.TASK, ema_decay=0.9)
    trainer.compile(tiny.optimizer)
    rng = np.random.default_rng(seed)
    for variable in checkpoints._variables(trainer).values():
        variable.assign(rng.integers(0, 100, variable.shape))
    return trainer


def state(trainer):
    return {name: v.numpy() for name, v in checkpoints._variables(trainer).items()}


def test_everything_comes_back(tmp_path):
    one, other = make_trainer(1), make_trainer(2)
    position = Position(epoch=2, step=3, seconds=1.5)
    checkpoints.save(tmp_path / "checkpoints", one, position, 10, keep=3)
    (path,) = (tmp_path / "checkpoints").iterdir()
    assert path.name == "step-00000023.npz"
    assert checkpoints.restore(path, STRATEGY, other) == position
    expected, actual = state(one), state(other)
    groups = {name.split("/")[0] for name in expected}
    assert groups == {"network", "average", "optimizer", "metrics"}
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


def test_only_the_last_are_kept_and_what_is_half_written_goes(tmp_path):
    trainer = make_trainer(1)
    (tmp_path / ".step-00000001.npz.tmp.npz").write_text("half")
    (tmp_path / "notes.txt").write_text("kept")
    for step in (9, 10, 100):
        checkpoints.save(tmp_path, trainer, Position(step=step), 1000, keep=2)
    names = [path.name for path in checkpoints.list_checkpoints(tmp_path)]
    assert names == ["step-00000010.npz", "step-00000100.npz"]
    assert {path.name for path in tmp_path.iterdir()} == {*names, "notes.txt"}


def test_the_order_is_that_of_numbers(tmp_path):
    for step in ("99999999", "100000000", "00000005"):
        (tmp_path / f"step-{step}.npz").touch()
    steps = [path.stem for path in checkpoints.list_checkpoints(tmp_path)]
    assert steps == ["step-00000005", "step-99999999", "step-100000000"]


def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path):
    checkpoints.save(tmp_path, make_trainer(1), Position(), 10, keep=1)
    (path,) = tmp_path.iterdir()
    averageless = additional.make_trainer()
    before = state(averageless)
    with pytest.raises(SettingError, match="is a checkpoint of another network or recipe"):
        checkpoints.restore(path, STRATEGY, averageless)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SettingError, match="cannot read the checkpoint"):
        checkpoints.restore(path, STRATEGY, averageless)
    for name, value in state(averageless).items():
        np.testing.assert_array_equal(value, before[name])


def test_the_newest_whole_one_is_taken(tmp_path):
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, make_trainer(step), Position(step=step), 10, keep=3)
    whole = tmp_path / "step-00000001.npz"
    expected = dict(np.load(whole))
    for step in (2, 3):
        path = tmp_path / f"step-0000000{step}.npz"
        path.write_bytes(path.read_bytes()[: 1000 * step])
    trainer = make_trainer(4)
    position, lines = checkpoints.restore_newest(tmp_path, STRATEGY, trainer)
    assert position == Position(step=1)
    for name, value in state(trainer).items():
        np.testing.assert_array_equal(value, expected[name])
    assert [line.split(":")[0] for line in lines] == [
        f"passed over step-0000000{step}.npz" for step in (3, 2)
    ]
    assert checkpoints.list_checkpoints(tmp_path) == [whole]
    checkpoints.save(tmp_path, trainer, Position(step=2), 10, keep=1)  # deletes the right one
    assert [path.name for path in checkpoints.list_checkpoints(tmp_path)] == ["step-00000002.npz"]
    assert len(list(tmp_path.glob("*.damaged"))) == 2


def test_where_none_is_whole_all_stay(tmp_path):
    for step in (1, 2):
        (tmp_path / f"step-{step}.npz").write_text("half")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SettingError, match=r"cannot read the checkpoint .*step-2\.npz"):
        checkpoints.restore_newest(tmp_path, STRATEGY, make_trainer(4))
    assert sorted(tmp_path.iterdir()) == before


def test_metrics_go_on_where_they_were():
    trainer = make_trainer(1)
    values = checkpoints.read_metrics(trainer)
    trainer.reset_metrics()
    assert [float(value) for value in checkpoints.read_metrics(trainer)] == [0.0, 0.0]
    checkpoints.write_metrics(trainer, values)
    assert float(trainer.loss.result()) == pytest.approx(float(values[0] / values[1]))
