"""saved_model.py: what lies in a version folder, and what comes out of it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from export import saved_model
from pale_tf import PaleN
from tests.conftest import needs_bfloat16

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_program_says_what_it_did(exported):
    version, done = exported
    assert "serving_default" in done.stdout
    assert f"{version}  version 1 of digits" in done.stdout
    assert "export/client.py --model digits --task classify IMAGE…" in done.stdout


def export_command(run, out):
    command = [sys.executable, ROOT / "export" / "saved_model.py", run, "--out", out]
    return [*map(str, command), "--xla", "off"]


@pytest.mark.slow
def test_two_exports_at_once_and_a_killed_one_leave_whole_versions(run, tmp_path):
    out = tmp_path / "models" / "digits"
    doomed = subprocess.Popen(export_command(run, out), stderr=subprocess.DEVNULL)
    while not list(out.glob(".unfinished-*/variables")):  # in the middle of writing
        assert doomed.poll() is None
        time.sleep(0.01)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    assert not list(out.glob("[0-9]*"))
    pair = [subprocess.Popen(export_command(run, out), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in pair] == [0, 0]
    assert sorted(path.name for path in out.glob("[0-9]*")) == ["1", "2"]
    for version in ("1", "2"):
        tf.saved_model.load(str(out / version))
        assert (out / version / "assets.extra" / "model_card.json").exists()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda run, _: [run / "nothing"], "there is no"),
        (lambda run, tmp: [broken(tmp)], "cannot load"),
        (lambda run, tmp: [headless(tmp)], "must be a Pale Transformer with a classifier"),
        (lambda run, tmp: [broad(tmp)], "argument --size: needed"),
        (lambda run, _: [run, "--images", ROOT / "docs" / "nothing"], "--images: there is no"),
        (lambda run, _: [run, "--images", ROOT / "training"], "--images: there is no .png"),
        (lambda run, _: [run, "--max-batch", "0"], "--max-batch"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(run, tmp_path, capsys, prepare, message):
    out = tmp_path / "models" / "digits"
    with pytest.raises(SystemExit) as stopped:
        saved_model.main([*map(str, prepare(run, tmp_path)), "--out", str(out)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists() or not os.listdir(out)


def broken(folder):
    path = folder / "broken.keras"
    path.write_text("nothing")
    return path


def broad(folder):
    path = folder / "broad.keras"
    PaleN(input_shape=(32, 64, 3), classes=2).save(path)
    return path


def headless(folder):
    path = folder / "headless.keras"
    PaleN(include_top=False, pooling="avg").save(path)
    return path


@needs_bfloat16
@pytest.mark.slow
def test_bfloat16_is_smaller_as_good_and_floats_outside(program, run, network, images, tmp_path):
    done = program(
        *("export/saved_model.py", run, "--out", tmp_path / "models" / "digits"),
        *("--precision", "bfloat16"),
    )
    assert done.returncode == 0, done.stderr
    assert "bfloat16" in done.stdout
    version = tmp_path / "models" / "digits" / "1"
    signatures = tf.saved_model.load(str(version)).signatures
    outputs = signatures["serving_default"](images=tf.constant(images))
    expected = network.predict(images, verbose=0)
    assert outputs["probabilities"].dtype == tf.float32
    found = outputs["probabilities"].numpy()
    assert 0 < abs(found - expected).max() < 0.05  # other numbers, and near
    levels = signatures["features"](images=tf.constant(images[:1]))
    assert {level.dtype for level in levels.values()} == {tf.float32}
    weights = (version / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert weights < 0.55 * 4 * network.count_params()
