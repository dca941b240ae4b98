"""Files of a run: its recipe in today's form, and its labels."""

import json

import pytest

from common.errors import SettingError
from common.labels import labels_text
from common.run_files import is_run, read_config, read_labels


def write(folder, recipe):
    (folder / "config.json").write_text(json.dumps({"recipe": recipe, "seed": 3}))


def test_a_recipe_with_a_task_is_read_as_it_is(tmp_path):
    recipe = {"task": "segment", "dataset": "ade20k", "settings": {"flip": True}, "epochs": 2}
    write(tmp_path, recipe)
    assert read_config(tmp_path) == {"recipe": recipe, "seed": 3}


def test_an_old_recipe_is_one_of_classifying(tmp_path):
    write(tmp_path, {"dataset": "digits", "epochs": 2, "crop_fraction": 0.9, "mixup": 0.8})
    assert read_config(tmp_path)["recipe"] == {
        "task": "classify",
        "dataset": "digits",
        "epochs": 2,
        "settings": {"crop_fraction": 0.9, "mixup": 0.8},
    }


def test_a_folder_need_not_have_them(tmp_path):
    assert read_config(tmp_path) == {}
    assert read_labels(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"recipe": 1}', "\xff", '{"recipe": {}, "flags": null}']
)
def test_another_file_is_one_error(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(SettingError, match="is not the configuration of a run"):
        read_config(tmp_path)


def test_labels_keep_their_order(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\nant\nsea lion\n")
    assert read_labels(tmp_path) == ["cat", "ant", "sea lion"]


def test_labels_come_back_as_they_were_written(tmp_path):
    labels = ["$5_$10", "[red]", "犬", "a b", "non-breaking\u00a0space"]
    (tmp_path / "labels.txt").write_text(labels_text(labels), encoding="utf-8")
    assert read_labels(tmp_path) == labels


@pytest.mark.parametrize("content", [b"a\xff\n", b"\x1b[31mred\n", b"a\n\nb\n", "a\u2028".encode()])
def test_other_labels_are_one_error(tmp_path, content):
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(SettingError, match=r"labels\.txt"):
        read_labels(tmp_path)


def test_the_configuration_of_something_else_is_no_run(tmp_path):
    assert not is_run(tmp_path)
    for text, expected in (
        ('{"recipe": {}}', True),
        ('{"model_type": "swin"}', False),
        ("{", False),
    ):
        (tmp_path / "config.json").write_text(text)
        assert is_run(tmp_path) == expected
