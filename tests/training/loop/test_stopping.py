"""Runs that are killed, terminated, or out of disk, and go on as if nothing had been."""

import json
import os
import random
import resource
import signal
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.training.pixels import with_bad_tables
from tests.training.runs import assert_same_run, checkpoints, finish, last_state, start, wait_for
from training.data.unreadable import Unreadable
from training.errors import NonFiniteLossError, TerminatedError, UnreadableImagesError
from training.loop.checkpoints import Position
from training.loop.stopping import SIGNALS, Guard


@pytest.fixture(scope="module")
def flags(data_dir):
    return ("--epochs", 2, "--seed", 3, "--data-dir", data_dir, "--checkpoint-every", 5)


@pytest.fixture(scope="module")
def reference(make_run):
    """The same run under `mirrored`, which nothing interrupted."""
    return make_run(1)[0]


@pytest.fixture
def guard():
    """A guard in the third step of the second epoch of 10, and the steps that it saved at."""
    before = [signal.getsignal(number) for number in SIGNALS]
    saved = []
    made = Guard(
        Position(epoch=1, step=2),
        lambda: saved.append(made.step),
        every=5,
        steps_per_epoch=10,
        rate=lambda step: step / 100,
        unreadable=Unreadable(0),
    )
    made._entered, made._started = 2, time.perf_counter()
    with made:
        yield made, saved
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_the_guard_counts_and_saves(guard):
    guard, saved = guard
    for batch in range(8):
        guard.on_train_batch_end(batch, {"loss": 1.0})
        assert guard.step == 13 + batch
    assert saved == [15, 20]
    assert 0 <= guard.position.seconds < 60


def test_the_guard_sees_checkpoints_inside_of_several_steps(guard):
    """Four steps an execution: the last one ends with the epoch, not after it."""
    guard, saved = guard
    for batch in (3, 7):
        guard.on_train_batch_end(batch, {"loss": 1.0})
    assert saved == [16, 20]
    guard.on_train_batch_end(11, {"loss": 1.0})
    assert guard.position.step == 10


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_the_guard_names_the_step_whose_loss_is_not_finite(guard, loss):
    guard, saved = guard
    with pytest.raises(NonFiniteLossError, match=rf"{loss} at step 13 \(epoch 2\), .* rate 0.12"):
        guard.on_train_batch_end(0, {"loss": loss})
    assert (guard.step, saved) == (12, [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_guard_saves_before_it_ends(guard, number, code):
    guard, saved = guard
    os.kill(os.getpid(), number)
    with pytest.raises(TerminatedError, match=f"{number.name}: a checkpoint was saved") as ended:
        guard.on_train_batch_end(0, {"loss": 1.0})
    assert ended.value.exit_code == code
    assert saved == [13]


def test_a_second_ctrl_c_does_not_wait(guard):
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_the_guard_ends_a_run_of_too_many_unreadable_images(guard):
    guard, saved = guard
    guard.unreadable._note(b"a.jpg")
    with pytest.raises(UnreadableImagesError):
        guard.on_train_batch_end(0, {"loss": 1.0})
    assert saved == []


@pytest.mark.slow
def test_several_steps_per_execution_end_at_the_same_weights(reference, flags, tmp_path):
    """Of 19 steps an epoch, the last execution of 4 holds 3. Another graph rounds otherwise."""
    arguments = ("--strategy", "mirrored", "--steps-per-execution", 4)
    finish(*flags, *arguments, "--out", tmp_path / "together")
    expected, actual = last_state(reference), last_state(tmp_path / "together")
    assert expected.keys() == actual.keys()
    assert (actual["epoch"], actual["step"]) == (expected["epoch"], expected["step"])
    for name, value in expected.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(actual[name], value, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_sigterm_saves_and_resume_goes_on_bit_for_bit(reference, flags, tmp_path):
    out = tmp_path / "run"
    arguments = (*flags, "--strategy", "mirrored", "--out", out, "--resume")  # a new one
    process = start(*arguments)
    wait_for(lambda: checkpoints(out), process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 143
    assert errors.splitlines()[-1].startswith("fit.py: error: SIGTERM: a checkpoint was saved")
    last = checkpoints(out)[-1]
    with np.load(last) as file:
        assert (file["epoch"], file["step"]) == (0, int(last.stem.removeprefix("step-")))

    printed = finish("--out", out, "--resume", "--strategy", "mirrored", *flags[4:6])
    assert f"going on after 0 epochs and {int(last.stem[5:])} steps" in printed
    assert_same_run(reference, out)
    (resumed,) = json.loads((out / "config.json").read_text())["resumed"]
    assert resumed["step"] == {"epoch": 0, "step": int(last.stem[5:])}


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_loses_nothing(flags, tmp_path):
    """A limit on the size of files stands for the disk: a checkpoint is larger."""
    out = tmp_path / "run"
    process = start(*flags, "--out", out)
    wait_for(lambda: checkpoints(out), process)
    before = checkpoints(out)
    limit = 2**20
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    _, errors = process.communicate()
    assert process.returncode == 4
    assert errors.splitlines()[-1].startswith(
        f"fit.py: error: cannot write {out}/checkpoints/step-"
    )
    assert set(before) <= set(checkpoints(out))
    for path in checkpoints(out):
        with np.load(path) as file:
            assert all(np.isfinite(file[name]).all() for name in file.files)
    assert {path.suffix for path in (out / "checkpoints").iterdir()} == {".npz"}
    assert len(list((out / "checkpoints").iterdir())) == len(checkpoints(out))


def test_resume_refuses_other_settings_at_once(reference):
    process = start("--out", reference, "--resume", "--epochs", 3)
    _, errors = process.communicate()
    assert process.returncode == 2
    assert errors == (
        f"fit.py: error: argument --epochs: the run in {reference} has 2, and goes on with it. "
        "Received: 3\n"
    )


NAN_AT_STEP = """
import sys
import tensorflow as tf
from tests.training import small_fit
from training.loop import run
make = run.training_batches
def spoil(*arguments, **options):
    def change(step, batch):
        images, labels = batch
        return tf.where(step == 7, float("nan"), images), labels
    return make(*arguments, **options).enumerate().map(change)
run.training_batches = spoil
small_fit.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_nan_stops_the_run_before_it_is_saved(flags, tmp_path):
    out = tmp_path / "run"
    process = start(*flags, "--out", out, command=[sys.executable, "-c", NAN_AT_STEP])
    _, errors = process.communicate()
    assert process.returncode == 3
    # Warm-up over half of the 38 steps, to 2e-3: step 8 is made at 7/19 of that.
    assert errors.splitlines()[-1].startswith(
        "-c: error: the loss is nan at step 8 (epoch 1), learning rate 0.000737; the last "
    )
    (path,) = checkpoints(out)
    assert path.name == "step-00000005.npz"
    with np.load(path) as file:
        assert all(np.isfinite(file[name]).all() for name in file.files)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_five_kills_at_random_moments(strategy, data_dir, tmp_path):
    """kill -9 without a strategy, SIGTERM under `mirrored`; the rest of the run is the same."""
    flags = ("--epochs", 8, "--seed", 1, "--data-dir", data_dir, "--strategy", strategy)
    flags = (*flags, "--checkpoint-every", 7)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(*flags, "--out", whole)
    moments = random.Random(0)
    for stop in range(5):
        before = checkpoints(broken)[-1:]
        process = start(*flags, "--out", broken, "--resume")
        if stop == 2:  # while it starts; the others while it trains, or saves, or evaluates
            time.sleep(moments.uniform(1, 15))
        else:
            wait_for(lambda before=before: checkpoints(broken)[-1:] != before, process)
            time.sleep(moments.uniform(0, 2))
        process.send_signal(signal.SIGKILL if strategy == "none" else signal.SIGTERM)
        process.communicate()
        assert process.returncode in ((-9,) if strategy == "none" else (143, -15))
        print(strategy, stop, [path.stem for path in checkpoints(broken)])
    finish(*flags, "--out", broken, "--resume")
    assert_same_run(whole, broken)
    assert len(list((broken / "checkpoints").iterdir())) == 3  # and nothing half-written
    again = finish(*flags, "--out", broken, "--resume")
    assert "going on after 8 epochs" in again  # there is nothing to train: it is evaluated again


@pytest.mark.slow
def test_a_jpeg_that_looks_whole_does_not_end_the_run(tmp_path):
    """It begins and ends well, is decoded without guard, and fails: the epoch goes on guarded."""
    for label in ("a", "b"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for index in range(40):
            pixels = np.random.default_rng(index).integers(0, 256, (40, 40, 3), "uint8")
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{index}.jpg")
    bad = tmp_path / "images" / "a" / "7.jpg"
    bad.write_bytes(with_bad_tables(bad.read_bytes()))
    dataset = ("--recipe", "folder", "--dataset", f"folder:{tmp_path / 'images'}")
    finish(*dataset, "--epochs", 2, "--image-size", 32, "--out", tmp_path / "run")
    assert (tmp_path / "run" / "unreadable.txt").read_text() == f"{bad}\n"
