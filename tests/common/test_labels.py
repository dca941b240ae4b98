"""Names of classes, of a run and without one."""

import pathlib

import keras
import pytest

from common.errors import SettingError
from common.labels import labels_of, labels_text
from common.trained import NO_RUN, Trained


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
