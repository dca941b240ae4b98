"""Images that cannot be used: named once, replaced, tolerated up to a limit."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.training.pixels import write_images
from training.data.batches import evaluation_batches, steps_per_epoch, training_batches
from training.data.sources import open_source
from training.data.unreadable import Unreadable
from training.errors import UnreadableImagesError
from training.recipe import load_recipe
from training.tasks import classify

RECIPE = dataclasses.replace(load_recipe("folder"), image_size=32)


@pytest.fixture
def spoiled(tmp_path):
    """300 JPEGs, of which five are cut off, two are empty and one is text; and the bad ones."""
    write_images(tmp_path / "images", ["a", "b", "c"], 100)
    files = sorted(tmp_path.glob("images/*/*.jpg"))
    bad = [files[index] for index in (3, 50, 77, 123, 180, 200, 251, 290)]
    for path in bad[:5]:
        path.write_bytes(path.read_bytes()[:-2000])
    for path in bad[5:7]:
        path.write_bytes(b"")
    bad[7].write_text("This is no image.")
    return tmp_path / "images", sorted(map(str, bad))


def test_each_image_is_counted_once(tmp_path):
    log = tmp_path / "unreadable.txt"
    unreadable = Unreadable(2, log)
    names = tf.data.Dataset.from_tensor_slices(["a", "b", "c", "b", "a"])
    readable = names.map(lambda name: unreadable.watch(name == "c", name))
    assert list(readable.as_numpy_iterator()) == [False, False, True, False, False]
    assert len(unreadable) == 2
    assert unreadable.names == ["a", "b"]
    assert log.read_text() == "a\nb\n"
    unreadable.check()
    unreadable._note("\N{SNOWMAN}.jpg".encode())
    with pytest.raises(UnreadableImagesError) as caught:
        unreadable.check()
    assert str(caught.value) == (
        f"3 images cannot be used, more than the limit of 2 (--max-unreadable); {log} names them"
    )
    assert Unreadable(2, log).names == unreadable.names  # a resumed run does not count them anew


def test_unreadable_images_are_named_and_replaced(spoiled, tmp_path):
    root, bad = spoiled
    source = open_source(f"folder:{root}")
    transforms = classify.make_transforms(RECIPE, source)
    log = tmp_path / "unreadable.txt"
    unreadable = Unreadable(8, log)
    count = 0
    batches = training_batches(source, transforms, 32, 0, 0, unreadable)
    for images, _ in batches.take(steps_per_epoch(source, 32) + 1):
        count += len(images)
        assert (images.numpy().max(axis=(1, 2, 3)) > 0).all()  # none is black
    assert count >= source.counts["train"]
    for split in ("validation", "test"):
        batches = evaluation_batches(source, split, transforms, 32, unreadable)
        weights = np.concatenate([w for *_, w in batches])
        names = {name.decode() for *_, name in source.read(split).as_numpy_iterator()}
        assert weights.sum() == len(names - set(bad))
    assert unreadable.names == bad
    assert sorted(log.read_text().splitlines()) == bad


def test_a_file_that_is_gone_is_an_unreadable_image(tmp_path):
    write_images(tmp_path, ["cat", "dog"], 20)
    gone = tmp_path / "cat" / "5.jpg"
    gone.unlink()
    gone.symlink_to(tmp_path / "nowhere.jpg")
    source = open_source(f"folder:{tmp_path}")
    unreadable = Unreadable(5)
    transforms = classify.make_transforms(RECIPE, source)
    next(iter(training_batches(source, transforms, 32, 0, 0, unreadable)))
    assert unreadable.names == [str(gone)]
