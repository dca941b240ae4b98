"""Names of classes, of a run and without one."""

import pathlib

import keras
import pytest

from common.errors import SettingError
from common.labels import check_labels, labels_of, labels_text
from common.trained import NO_RUN, Trained
from pale_tf import PaleConfig, pale_detector


def trained(labels):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    return Trained(network, pathlib.Path("run/model.keras"), NO_RUN, labels)


def test_are_those_of_the_run_or_numbers():
    assert labels_of(trained(["ant", "bee", "cat"])) == ["ant", "bee", "cat"]
    assert labels_of(trained([])) == ["0", "1", "2"]
    assert labels_text(["ant", "sea lion"]) == "ant\nsea lion\n"


def test_are_as_many_as_classes():
    with pytest.raises(SettingError, match="RUN: run has 2 labels for a network of 3 classes"):
        labels_of(trained(["ant", "bee"]))


def test_those_of_a_detector_are_the_classes_of_its_box_head():
    small = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
    detector = trained(["ant", "bee"])._replace(network=pale_detector(small, 2, channels=4))
    assert labels_of(detector) == ["ant", "bee"]
    with pytest.raises(SettingError, match="RUN: run has 1 labels for a network of 2 classes"):
        labels_of(detector._replace(labels=["ant"]))


ODD = [
    "$5_$10",
    "10$%",
    "[red]",
    "chien été",
    "犬",
    "👩‍🌾",
    "a/b",
    "l" * 250,
    "non-breaking\u00a0space",
]
UNPRINTABLE = ["a\nb", "a\rb", "a\u2028b", "a\x85b", "\x1b[31mred", "a\tb", "a\udcff", "a\0b"]


def test_a_line_of_text_is_a_name():
    check_labels(ODD, "`dataset`")


@pytest.mark.parametrize("label", ["", *UNPRINTABLE])
def test_what_is_no_line_of_text_is_refused(label):
    with pytest.raises(SettingError, match="`dataset`: a class must be named by one line") as error:
        check_labels(["ant", label], "`dataset`")
    assert str(error.value).isprintable()
