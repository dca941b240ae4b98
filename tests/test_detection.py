"""Detection from COCO's JSON, as annotation tools write it, through all programs."""

import json
import signal
import sys

import pytest
from PIL import Image
from pycocotools import mask as coco_masks

from tests.conftest import ROOT
from tests.training.coco_folder import LAYOUTS, NAMES, photograph
from tests.training.runs import assert_same_run, checkpoints, finish, start, wait_for
from training import predict

pytestmark = pytest.mark.slow  # a detector is traced for minutes

FIT = [sys.executable, str(ROOT / "tests" / "training" / "small_detect_fit.py")]
TOOLS = {
    "cvat": "annotations/instances_default.json",
    "label_studio": "result.json",
    "roboflow": "train/_annotations.coco.json",
    "labelme": "annotations.json",
}
NAMED = (
    "1 object of an unknown category, such as annotation",
    "1 object whose bbox is empty or outside of its image, such as annotation",
    "1 object of an unknown image, such as annotation",
)
FIGURES = ("ap", "ap50", "ap75", "ap_small")  # no object is larger


def damage(path, masks):
    """Gives an annotation file each fault that ends no run: see `NAMED`."""
    content = json.loads(path.read_text())
    rows = content["annotations"]
    rows[0]["category_id"] = 99
    rows[1]["bbox"] = [70, 10, 9, 9]
    rows[2]["image_id"] = 12345
    rows[3]["iscrowd"] = 1
    if masks:
        rows[4]["segmentation"] = []
    content["images"].append({"id": 900, "file_name": "absent.jpg", "height": 48, "width": 64})
    path.write_text(json.dumps(content))


def arguments(folder, out):
    flags = ["--seed", 4, "--checkpoint-every", 1, "--out", out]
    return ["--dataset", f"coco:{folder}", *flags]


def make_folder(root, tool):
    LAYOUTS[tool](root)
    damage(root / TOOLS[tool], tool != "label_studio")
    return root


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("photographs"), "cvat")


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory):
    """A run that nothing interrupted: its folder and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, finish(*arguments(photographs, out), command=FIT)


def check(out, printed, masks=True):
    """The faults are named, and the run's files are there."""
    for words in NAMED:
        assert f"passed over: {words}" in printed
    assert ("1 object with a mask without a polygon of three corners" in printed) == masks
    kinds = ("box", "mask") if masks else ("box",)
    names = {f"{kind}_{name}" for kind in kinds for name in FIGURES}
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics) == {
        *(f"test_{name}" for name in names),
        *(f"test_ema_{name}" for name in names),
        *("train_seconds", "unreadable_images"),
    }
    assert (out / "labels.txt").read_text().split() == list(NAMES)
    for name in ("worst.png", "curves.png", "calibration/01.png", "examples/1.png"):
        with Image.open(out / name) as picture:
            picture.verify()


def test_it_trains_and_names_the_faults(run):
    out, printed = run
    assert "2 classes of objects with masks, images: " in printed
    check(out, printed)
    assert json.loads((out / "categories.json").read_text()) == [
        {"id": 1, "name": "disc"},
        {"id": 2, "name": "box"},
    ]
    header, *rows = (out / "history.csv").read_text().splitlines()
    assert {"loss", "objectness", "anchors", "classes", "boxes", "masks"} <= set(header.split(","))
    assert len(rows) == 2
    assert "  objectness 0." in printed


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "cvat"])
def test_it_trains_on_what_each_tool_exports(tool, program, tmp_path):
    folder, out = make_folder(tmp_path / "photographs", tool), tmp_path / "out"
    check(out, finish(*arguments(folder, out), command=FIT), tool != "label_studio")
    done = program("training/evaluate.py", out)
    assert done.returncode == 0, done.stderr
    assert "box_ap" in done.stdout


def test_it_is_evaluated_as_it_was_in_the_end(run, program, tmp_path):
    out, _ = run
    done = program("training/evaluate.py", out, "--json", tmp_path / "scores.json")
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    metrics = json.loads((out / "metrics.json").read_text())
    for name, prefix in (("raw", "test_"), ("ema", "test_ema_")):
        for figure in FIGURES:
            for kind in ("box", "mask"):
                key = f"{kind}_{figure}"
                assert scores[name][key] == pytest.approx(metrics[prefix + key], abs=1e-6)


def test_it_predicts_an_image_of_any_size(run, call, tmp_path):
    out, _ = run
    for index, size in ((50, (70, 60)), (51, (48, 90))):
        Image.fromarray(photograph(index, size)[0]).save(tmp_path / f"{index}.png")
    paths = [tmp_path / "50.png", tmp_path / "51.png"]
    code, printed, errors = call(
        predict.main, "predict.py", out, *paths, "--out", tmp_path / "found"
    )
    assert code == 0, errors
    for number, (index, size) in enumerate(((50, (70, 60)), (51, (48, 90))), start=1):
        rows = json.loads((tmp_path / "found" / f"{index}-objects.json").read_text())
        for row in rows:
            assert row["image_id"] == number
            assert row["category_id"] in (1, 2)
            assert 0.05 < row["score"] <= 1
            x, y, width, height = row["bbox"]
            assert min(x, y, width, height) >= 0
            assert x + width <= size[1] + 1e-3
            assert y + height <= size[0] + 1e-3
            assert coco_masks.decode(row["segmentation"]).shape == size
        scores = [row["score"] for row in rows]
        assert scores == sorted(scores, reverse=True)
        with Image.open(tmp_path / "found" / f"{index}-objects.png") as picture:
            assert max(picture.size) >= 320
    assert f"{tmp_path}/found/*-objects.json" in printed


def test_it_resumes_after_a_kill_to_the_same_bits(run, photographs, tmp_path):
    whole, _ = run
    out = tmp_path / "broken"
    process = start(*arguments(photographs, out), command=FIT)
    wait_for(lambda: len(checkpoints(out)) > 1, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finish(*arguments(photographs, out), "--resume", command=FIT)
    assert_same_run(whole, out)
