"""Files in COCO's JSON with faults, each of which is named."""

import json

import pytest

from common.errors import SettingError
from tests.training.coco_folder import LAYOUTS, size_of
from training.data.object_sources import open_object_source
from training.data.splits import SPLITS


def damaged(folder):
    """A data set with one fault of each kind, and what is said of each."""
    LAYOUTS["cvat"](folder)
    path = folder / "annotations" / "instances_default.json"
    content = json.loads(path.read_text())
    rows = {row["id"]: row for row in content["annotations"]}
    rows[1]["bbox"] = [100, 0, 5, 5]
    rows[2]["category_id"] = 99
    rows[3]["image_id"] = 77
    rows[4]["segmentation"] = []
    rows[5]["bbox"] = [1, 2, 3]
    rows[6]["bbox"] = [1, 2, float("nan"), 4]
    rows[7]["bbox"] = [1, 2, 0, 4]
    rows[8]["segmentation"] = {"counts": [5], "size": size_of(3)}
    rows[9]["bbox"] = [-10, -5, 200, 200]  # as large as the image: no fault
    rows[11]["iscrowd"] = 1
    content["images"].append({"id": 50, "file_name": "none.jpg", "height": 0, "width": 5})
    content["images"].append({**content["images"][0], "file_name": "again.jpg"})
    (folder / "images" / "default" / "007.jpg").unlink()
    path.write_text(json.dumps(content))
    return path


def test_faults_are_named_and_counted(tmp_path):
    path = damaged(tmp_path)
    source = open_object_source(f"coco:{tmp_path}")
    expected = {
        f"2 object whose bbox is empty or outside of its image, such as annotation 1 of {path}",
        f"1 object of an unknown category, such as annotation 2 of {path}",
        f"1 object of an unknown image, such as annotation 3 of {path}",
        f"1 object with a mask without a polygon of three corners, such as annotation 4 of {path}",
        f"2 object whose bbox is not four numbers, such as annotation 6 of {path}",
        "1 object with a mask of runs that do not add up to the pixels of its image, such as "
        f"annotation 8 of {path}",
        f"1 image with the id of another one, such as {path}: again.jpg",
    }
    found = {line for line in source.passed_over if "file_name" not in line}
    assert found == expected
    (line,) = (line for line in source.passed_over if "file_name" in line)
    assert line.startswith("1 image without file_name, height or width")
    examples = {
        name.numpy().decode().rpartition("/")[2]: (encoded.numpy(), objects)
        for split in SPLITS
        for encoded, objects, name in source.read(split)
    }
    assert len(examples) == 20
    assert examples["007.jpg"][0] == b""
    assert [len(examples[f"{i:03}.jpg"][1]["labels"]) for i in range(6)] == [0, 1, 0, 1, 2, 2]
    for name in ("001.jpg", "003.jpg"):  # their masks are faulty
        assert examples[name][1]["crowds"].numpy().tolist() == [True]
    boxes = examples["004.jpg"][1]["boxes"].numpy()
    assert [0.0, 0.0, 1.0, 1.0] in boxes.tolist()
    assert sorted(examples["005.jpg"][1]["crowds"].numpy()) == [False, True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "`images` must be a list of dicts"),
        (b'{"images": [], "annotations": [3], "categories": []}', "`annotations` must be a list"),
        (b'{"images": [], "annotations": [], "categories": [{"id": "1"}]}', "an integer, and a"),
        (b'{"images": [], "annotations": [], "categories": []}', "no image of train"),
    ],
)
def test_files_that_are_not_of_coco(content, message, tmp_path):
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(SettingError, match=message) as caught:
        open_object_source(f"coco:{tmp_path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_id": [0]}, "object of an unknown image"),
        ({"category_id": {}}, "object of an unknown category"),
        ({"category_id": None}, "object of an unknown category"),
        ({"bbox": [0, 0, 10**400, 5]}, "object whose bbox is not four numbers"),
        (
            {"segmentation": {"counts": [2**70], "size": size_of(19)}},
            "object with a mask of runs that do not add up to the pixels of its image",
        ),
    ],
    ids=str,
)
def test_values_of_other_kinds_are_named(change, words, tmp_path):
    LAYOUTS["cvat"](tmp_path)
    path = tmp_path / "annotations" / "instances_default.json"
    content = json.loads(path.read_text())
    content["annotations"][0] |= change
    content["categories"][0]["supercategory"] = ["shapes"]
    path.write_text(json.dumps(content))
    (line,) = open_object_source(f"coco:{tmp_path}").passed_over
    assert line.startswith(f"1 {words}, such as annotation 40 of ")


def test_images_without_a_number_are_named(tmp_path):
    LAYOUTS["cvat"](tmp_path)
    path = tmp_path / "annotations" / "instances_default.json"
    content = json.loads(path.read_text())
    content["images"] += [{**content["images"][0], "id": number} for number in (None, [3])]
    path.write_text(json.dumps(content))
    (line,) = open_object_source(f"coco:{tmp_path}").passed_over
    assert line.startswith("2 image whose id is neither an integer nor a text, such as ")
