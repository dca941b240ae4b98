"""predict.py, as a user runs it."""

import shutil

import numpy as np
import pytest
from PIL import Image

from training.data.decoding import decode
from training.predict import main, upright


def test_predicts_any_image_file(make_run, call, tmp_path):
    folder, _ = make_run(1)
    gray = Image.open(next((folder / "examples").iterdir())).convert("L")
    gray.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    gray.convert("P").save(tmp_path / "palette.gif")
    gray.convert("RGBA").save(tmp_path / "alpha.webp", lossless=True)
    Image.fromarray(np.asarray(gray).astype("uint16") * 257).save(tmp_path / "sixteen bits.png")
    gray.resize((300, 200)).save(tmp_path / "wide.bmp")
    paths = sorted(tmp_path.iterdir())
    code, printed, errors = call(main, "predict.py", folder, *paths)
    assert code == 0, errors
    lines = printed.splitlines()
    assert lines[::6] == [str(path) for path in paths]
    best = {}
    for path, start in zip(paths, range(1, len(lines), 6), strict=True):
        scores = [float(line.split("%")[0]) for line in lines[start : start + 5]]
        assert scores == sorted(scores, reverse=True)
        best[path.name] = (scores[0], lines[start].split()[-1])
    score, label = best["alpha.webp"]
    for name in ("palette.gif", "sixteen bits.png"):
        # The same image at another place of the batch: the last bits may differ, and with them the
        # last digit that is printed.
        assert best[name] == (pytest.approx(score, abs=0.011), label)


def test_a_run_with_labels_of_another_is_refused(make_run, tmp_path, capsys):
    shutil.copy(make_run(1)[0] / "model.keras", tmp_path)
    (tmp_path / "labels.txt").write_text("ant\n")
    Image.new("L", (8, 8)).save(tmp_path / "gray.png")
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), str(tmp_path / "gray.png")])
    assert capsys.readouterr().err.endswith(
        f": error: argument RUN: {tmp_path} has 1 labels for a network of 10 classes\n"
    )


def test_a_task_that_writes_no_files_takes_no_folder(make_run, tmp_path, capsys):
    Image.new("L", (8, 8)).save(tmp_path / "gray.png")
    with pytest.raises(SystemExit, match="2"):
        main([str(make_run(1)[0]), str(tmp_path / "gray.png"), "--out", str(tmp_path / "out")])
    assert capsys.readouterr().err.endswith(
        ": error: argument --out: the task 'classify' of the run writes no files\n"
    )
    assert not (tmp_path / "out").exists()


def test_refuses_a_network_that_it_cannot_load(call, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "gray.png")
    (tmp_path / "model.keras").write_text("")
    code, _, errors = call(main, "predict.py", tmp_path, tmp_path / "gray.png")
    assert code == 2
    error = errors.splitlines()[-1]
    assert error.startswith(f"predict.py: error: argument RUN: cannot load {tmp_path}/model.keras")


def test_refuses_what_is_no_image_or_no_run(call, tmp_path):
    (tmp_path / "model.keras").write_text("")
    (tmp_path / "note.png").write_text("not an image")
    for arguments, message in [
        (
            (tmp_path, tmp_path / "note.png"),
            f"argument IMAGE: cannot read {tmp_path}/note.png as an image: it is of no format that",
        ),
        ((tmp_path, tmp_path / "absent.png"), "argument IMAGE: cannot read"),
        ((tmp_path, tmp_path), "argument IMAGE: cannot read"),
        ((tmp_path / "absent", tmp_path / "note.png"), "argument RUN: there is no model.keras in"),
        ((tmp_path,), "the following arguments are required: IMAGE"),
    ]:
        code, _, errors = call(main, "predict.py", *arguments)
        assert code == 2
        assert errors.startswith(f"predict.py: error: {message}")
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_images_are_turned_as_in_training(tmp_path, suffix):
    """A JPEG is, whose data say so; a PNG is not, whatever its data say."""
    pixels = np.zeros((16, 24, 3), "uint8")
    pixels[:8, :8] = 255  # the upper left corner, before the quarter turn that tag 6 stands for
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(pixels).save(path, exif=exif, quality=100)
    image = upright(path)
    expected = np.rot90(pixels, -1) if suffix == "jpg" else pixels
    np.testing.assert_allclose(image, expected, atol=3)
    np.testing.assert_allclose(image, decode(path.read_bytes())[0], atol=3)


def test_images_in_0_to_1_are_warned_of(tmp_path, capsys):
    scaled = np.random.default_rng(0).random((5, 7))
    Image.fromarray(scaled.round().astype("uint8")).save(tmp_path / "scaled.png")
    Image.fromarray((255 * scaled).astype("uint8")).save(tmp_path / "good.png")
    for name in ("good", "scaled"):
        upright(tmp_path / f"{name}.png")
    warning = f"{tmp_path}/scaled.png: warning: no value is above 1, where 0..255 is expected\n"
    printed = capsys.readouterr().err
    assert printed.endswith(warning)
    assert printed.count("warning") == 1
    Image.fromarray(scaled.astype("float32")).save(tmp_path / "floats.tiff")
    with pytest.raises(ValueError, match="its values are floating-point numbers"):
        upright(tmp_path / "floats.tiff")
