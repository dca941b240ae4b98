"""Segmentation from a folder of photographs with masks, through all programs."""

import json
import signal
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export.tflite import PRECISIONS
from tests.conftest import ROOT
from tests.training.mask_folder import CLASSES, photograph, write_folder, write_pair
from tests.training.runs import assert_same_run, checkpoints, finish, start, wait_for
from training import predict

FIT = [sys.executable, str(ROOT / "tests" / "training" / "small_segment_fit.py")]
BAD = ("05", "06", "07")  # without a mask, with one of another size, with a class that is none


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """40 photographs with masks, of which three are none."""
    root = write_folder(tmp_path_factory.mktemp("photographs"))
    (root / "masks" / "05.png").unlink()
    image, mask = photograph(6)
    write_pair(root, "06", image, mask[1:])
    image, mask = photograph(7)
    write_pair(root, "07", image, np.where(mask == 2, 200, mask))
    return root


def arguments(photographs, out):
    return ["--dataset", f"masks:{photographs}", "--seed", 4, "--checkpoint-every", 1, "--out", out]


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory):
    """A run that nothing interrupted: its folder and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, finish(*arguments(photographs, out), command=FIT)


def test_it_trains_and_leaves_out_what_is_no_pair(run, photographs):
    out, printed = run
    assert "small on masks:" in printed
    assert "3 classes of pixels, images: 32 train, 4 validation, 4 test" in printed
    found = sorted((out / "unreadable.txt").read_text().splitlines())
    assert found == [str(photographs / "images" / f"{name}.jpg") for name in BAD]
    metrics = json.loads((out / "metrics.json").read_text())
    names = ("test_miou", "test_pixel_accuracy", "test_loss")
    assert set(metrics) == {
        *names,
        *(name.replace("test", "test_ema") for name in names),
        *("train_seconds", "unreadable_images"),
    }
    assert metrics["unreadable_images"] == 3
    assert "unreadable.txt  " in printed
    assert "3 images that could not be used" in printed
    assert (out / "labels.txt").read_text().split() == list(CLASSES)
    for name in ("worst.png", "confusion.png", "curves.png", "calibration/01.png"):
        with Image.open(out / name) as picture:
            picture.verify()


@pytest.mark.slow
def test_too_many_that_are_no_pair_end_the_run(photographs, tmp_path):
    process = start(*arguments(photographs, tmp_path / "out"), "--max-unreadable", 1, command=FIT)
    _, errors = process.communicate()
    assert process.returncode == 6
    (line,) = (line for line in errors.splitlines() if line.startswith("fit.py"))
    assert "images cannot be used, more than the limit of 1 (--max-unreadable)" in line


@pytest.mark.slow
def test_it_is_evaluated_on_one_scale_and_on_several(run, program, tmp_path):
    out, _ = run
    metrics = json.loads((out / "metrics.json").read_text())
    scores = {}
    for name, options in (("one", ["--scales", 1]), ("several", ["--scales", 0.5, 1, "--flip"])):
        done = program("training/evaluate.py", out, "--json", tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
        scores[name] = json.loads((tmp_path / name).read_text())
    for key in ("miou", "pixel_accuracy", "loss"):
        assert scores["one"]["raw"][key] == pytest.approx(metrics[f"test_{key}"], rel=1e-5)
        assert scores["one"]["ema"][key] == pytest.approx(metrics[f"test_ema_{key}"], rel=1e-5)
    assert scores["several"]["raw"] != scores["one"]["raw"]
    assert scores["several"]["scales"] == [0.5, 1.0]
    assert scores["several"]["flip"] is True
    assert set(scores["one"]["raw"]["classes"]) <= set(CLASSES)
    mean = np.mean([row["iou"] for row in scores["one"]["raw"]["classes"].values()])
    assert scores["one"]["raw"]["miou"] == pytest.approx(mean)


def test_it_predicts_an_image_of_any_size(run, call, tmp_path):
    out, _ = run
    Image.fromarray(photograph(50, (321, 500))[0]).save(tmp_path / "photo.jpg")
    code, printed, errors = call(
        predict.main, "predict.py", out, tmp_path / "photo.jpg", "--out", tmp_path / "maps"
    )
    assert code == 0, errors
    with Image.open(tmp_path / "maps" / "photo-mask.png") as mask:
        assert (mask.mode, mask.size) == ("P", (500, 321))
        shares = np.bincount(np.asarray(mask).ravel(), minlength=3) / (500 * 321)
    best = shares.argmax()
    assert printed.splitlines()[1] == f"  {shares[best]:7.2%}  {CLASSES[best]}"
    with Image.open(tmp_path / "maps" / "photo-overlay.png") as picture:
        assert picture.width == 500
        assert picture.height > 321
    assert f"{tmp_path}/maps/*-mask.png" in printed
    (tmp_path / "other").mkdir()
    (tmp_path / "photo.jpg").rename(tmp_path / "other" / "photo.jpg")
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.png")
    paths = tmp_path / "other" / "photo.jpg", tmp_path / "photo.png"
    code, _, errors = call(predict.main, "predict.py", out, *paths, "--out", tmp_path / "more")
    assert code == 2
    assert "argument IMAGE: names without their suffix must differ" in errors
    assert not (tmp_path / "more").exists()


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_is_exported_for_phones(run, program, tmp_path, precision):
    """Within the bounds of each precision, which hold for trained weights, not for random ones."""
    out, file = run[0], tmp_path / "model.tflite"
    done = program("export/tflite.py", out, "--out", file, "--precision", precision)
    assert done.returncode == 0, done.stderr
    assert program("export/verify.py", file, "--against", out).returncode == 0


@pytest.mark.slow
def test_it_is_served_as_it_predicts(run, program, tmp_path):
    out, path = run[0], tmp_path / "photo.png"
    Image.fromarray(photograph(51, (321, 500))[0]).save(path)
    done = program("export/saved_model.py", out, "--out", tmp_path / "models" / "shapes")
    assert done.returncode == 0, done.stderr
    model = tf.saved_model.load(str(tmp_path / "models" / "shapes" / "1"))
    served = model.signatures["serve_bytes"](image_bytes=tf.constant([path.read_bytes()]))
    mask = tf.io.decode_png(served["mask_bytes"][0]).numpy()[..., 0]
    assert program("training/predict.py", out, path, "--out", tmp_path).returncode == 0
    with Image.open(tmp_path / "photo-mask.png") as predicted:
        assert (np.asarray(predicted) == mask).mean() >= 0.9999


@pytest.mark.slow
def test_it_resumes_after_a_kill_to_the_same_bits(run, photographs, tmp_path):
    whole, _ = run
    out = tmp_path / "broken"
    process = start(*arguments(photographs, out), command=FIT)
    wait_for(lambda: len(checkpoints(out)) > 1, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finish(*arguments(photographs, out), "--resume", command=FIT)
    assert_same_run(whole, out)


def rename_masks(root):
    for mask in (root / "masks").iterdir():
        mask.rename(mask.with_stem(f"{mask.stem}_mask"))


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        pytest.param(lambda root: None, "there is no folder", marks=pytest.mark.slow),
        pytest.param(lambda root: root.mkdir(), "images", marks=pytest.mark.slow),
        pytest.param(
            lambda root: (root / "classes.txt").write_text("one\n"),
            "masks must have 2 to 255",
            marks=pytest.mark.slow,
        ),
        (rename_masks, "no image of train has a mask of the same name"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_one_line(arrange, message, tmp_path):
    root = tmp_path / "photographs"
    if "mask" in message:
        write_folder(root, 6)
    arrange(root)
    process = start(*arguments(root, tmp_path / "out"), command=FIT)
    _, errors = process.communicate()
    assert process.returncode == 2
    (line,) = (line for line in errors.splitlines() if line.startswith("fit.py"))
    assert "`dataset`" in line
    assert message in line
    assert not (tmp_path / "out").exists()
