"""Where the annotation files and the images of a data set are found."""

import json

import pytest

from common.errors import SettingError
from tests.training import coco_folder
from tests.training.coco_folder import LAYOUTS
from training.data.coco_folders import annotation_files, find_image, image_folders
from training.data.folders import UNSPLIT
from training.data.object_sources import open_object_source
from training.data.splits import SPLITS


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (
            ["annotations/instances_train2017.json", "annotations/instances_val2017.json"],
            ["train", "validation"],
        ),
        (["annotations/instances_default.json", "annotations/captions_a.json"], [UNSPLIT]),
        (["result.json", "images/a.json"], [UNSPLIT]),
        (
            [f"{split}/_annotations.coco.json" for split in ("train", "valid", "test")],
            ["train", "validation", "test"],
        ),
    ],
    ids=["coco", "cvat", "label_studio", "roboflow"],
)
def test_annotation_files_have_splits(names, splits, tmp_path):
    touch(tmp_path, *names)
    found = annotation_files(tmp_path)
    chosen = names[: len(splits)]
    assert found == {s: [tmp_path / n] for s, n in zip(splits, chosen, strict=True)}
    assert annotation_files(tmp_path / names[0]) == {UNSPLIT: [tmp_path / names[0]]}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no annotations of COCO in"),
        (
            ["annotations/instances_train.json", "annotations/instances_odd.json"],
            "instances_odd.json is of no split; expected names of train",
        ),
        (
            ["annotations/instances_val.json", "annotations/instances_test.json"],
            "no annotations for train",
        ),
    ],
    ids=str,
)
def test_folders_without_annotations_for_training(names, message, tmp_path):
    touch(tmp_path, *names)
    with pytest.raises(SettingError, match=message):
        annotation_files(tmp_path)


def test_images_are_beside_their_annotations_or_in_a_folder_of_their_subset(tmp_path):
    path = tmp_path / "annotations" / "instances_train2017.json"
    touch(tmp_path, "train2017/a.jpg", "images/train2017/b.jpg", "images/c.jpg", "d/e.jpg")
    for root in (tmp_path, path):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        folders = image_folders(path, root)
        for name, place in (
            ("a.jpg", "train2017/a.jpg"),
            ("b.jpg", "images/train2017/b.jpg"),
            ("c.jpg", "images/c.jpg"),
            ("d\\e.jpg", "d/e.jpg"),
        ):
            assert find_image(name, folders) == str(tmp_path / place)
        for name in ("f.jpg", "/etc/hosts", "d/../d/e.jpg"):
            assert find_image(name, folders) == ""


def test_of_two_annotation_files_none_is_taken(tmp_path):
    LAYOUTS["labelme"](tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingError, match=r"one file of annotations.*annotations.json, config.j"):
        open_object_source(f"coco:{tmp_path}")


def test_names_that_leave_the_folder_are_missing(tmp_path):
    LAYOUTS["label_studio"](tmp_path / "set")
    path = tmp_path / "set" / "result.json"
    content = json.loads(path.read_text())
    coco_folder.write_images(tmp_path, [99])
    content["images"][0]["file_name"] = "../099.jpg"
    path.write_text(json.dumps(content))
    source = open_object_source(f"coco:{tmp_path}/set")
    lost = [
        name for split in SPLITS for encoded, _, name in source.read(split) if not encoded.numpy()
    ]
    assert lost == [b"../099.jpg"]
