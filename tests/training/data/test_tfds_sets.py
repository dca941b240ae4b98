"""Data sets of TFDS: made once, read in parts, and the errors of making them."""

import subprocess
import sys
import time

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from common.errors import SettingError, WriteError
from tests.conftest import ROOT
from training.data import sources, tfds_sets


def test_a_data_set_without_training_images_is_refused():
    with pytest.raises(SettingError, match="there is no split `train`"):
        tfds_sets._choose_splits({"test"})


@pytest.mark.parametrize("features", [("tfds_id", "label"), ("image", "tfds_id")])
def test_the_features_that_are_asked_for_are_read_in_their_order(data_dir, features):
    builder = tfds_sets.prepare(tfds_sets.find_builder("digits", data_dir))
    read = tfds_sets.reading(builder, features, encoded=("image",)).read
    decoded = builder.as_dataset("test", decoders={"image": tfds.decode.SkipDecoding()})
    decoded = decoded.take(5).as_numpy_iterator()
    found = list(read("test").take(5).as_numpy_iterator())
    place = next(index for index, name in enumerate(features) if name != "tfds_id")
    for example, expected in zip(found, decoded, strict=True):
        assert example[place] == expected[features[place]]
        assert example[1 - place].startswith(b"digits-test.tfrecord")


BUILD = """
import pathlib, sys, time
from training.data import sources, tfds_sets
make = tfds_sets._download_and_prepare
def slowly(builder):
    print("makes it", flush=True)
    builder.data_path.parent.mkdir(parents=True, exist_ok=True)  # as TFDS does at once
    time.sleep(10)  # the other one waits by now
    make(builder)
tfds_sets._download_and_prepare = slowly
print(sources.open_source("digits", sys.argv[1]).counts)
"""


@pytest.mark.slow
def test_two_runs_that_need_a_data_set_make_it_once(tmp_path):
    command = [sys.executable, "-c", BUILD, tmp_path]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)]
    while not (tmp_path / "digits").exists():
        assert runs[0].poll() is None
        time.sleep(0.05)
    runs.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert "".join(outputs).splitlines().count("makes it") == 1
    for output in outputs:
        assert output.splitlines()[-1] == "{'train': 1257, 'validation': 180, 'test': 360}"
    assert {path.name for path in tmp_path.iterdir()} == {"digits", "downloads"}  # and no lock


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OSError(28, "No space left on device"), WriteError, "cannot write .*digits.*No space"),
        (tf.errors.ResourceExhaustedError(None, None, "x; No space left"), WriteError, "No space"),
        (ConnectionError("no route"), SettingError, "cannot make digits: no route"),
    ],
)
def test_a_data_set_that_cannot_be_made_is_one_error(tmp_path, monkeypatch, error, kind, message):
    def fail(self):
        raise error

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(kind, match=message):
        sources.open_source("digits", tmp_path)


def test_a_data_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot make the folder"):
        sources.open_source("digits", tmp_path / "file" / "tfds")


def test_imagenet_says_what_to_put_where(tmp_path):
    with pytest.raises(SettingError) as caught:
        sources.open_source("imagenet2012", tmp_path)
    assert str(caught.value) == (
        "`dataset`: imagenet2012 cannot be downloaded; put ILSVRC2012_img_train.tar and "
        f"ILSVRC2012_img_val.tar, from image-net.org, into {tmp_path}/downloads/manual"
    )
