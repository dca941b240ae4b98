"""Data sets from folders, from TFDS, and the real ImageNet builder on a tiny ImageNet."""

import io
import itertools
import os
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from common.errors import SettingError
from tests.training.pixels import jpeg, write_images
from training.data import sources
from training.data.batches import evaluation_batches, training_batches
from training.data.unreadable import Unreadable
from training.recipe import load_recipe
from training.tasks import classify

SYNSETS = ("n01440764", "n01443537", "n01484850")


def listed(source, split, **options):
    return [
        (label, name.decode())
        for _, label, name in source.read(split, **options).as_numpy_iterator()
    ]


def test_a_folder_without_splits_is_split_by_class(tmp_path):
    write_images(tmp_path / "pets", ["cat", "dog"], 20)
    source = sources.open_source(f"folder:{tmp_path}/pets")
    assert source.labels == ["cat", "dog"]
    assert source.counts == {"train": 32, "validation": 4, "test": 4}
    examples = {split: listed(source, split) for split in sources.SPLITS}
    assert [sum(label for label, _ in examples[split]) for split in sources.SPLITS] == [16, 2, 2]
    names = [name for split in sources.SPLITS for _, name in examples[split]]
    assert sorted(names) == sorted(map(str, tmp_path.glob("pets/*/*.jpg")))
    assert all(
        ("dog" in name) == bool(label) for split in examples for label, name in examples[split]
    )
    assert examples == {  # the same, whenever it is asked for
        split: listed(sources.open_source(f"folder:{tmp_path}/pets"), split)
        for split in sources.SPLITS
    }


@pytest.mark.parametrize(
    ("splits", "counts"),
    [
        (("train", "val", "test"), (6, 6, 6)),
        (("train", "validation"), (6, 6, 6)),
        (("train", "test"), (6, 6, 6)),
    ],
)
def test_a_folder_with_splits(tmp_path, splits, counts):
    for split in splits:
        write_images(tmp_path / split, ["cat", "dog"], 3)
    source = sources.open_source(f"folder:{tmp_path}")
    assert tuple(source.counts.values()) == counts
    held_out = {"val": "validation"}.get(splits[1], splits[1])
    assert all(f"/{splits[1]}/" in name for _, name in listed(source, held_out))
    if len(splits) == 2:
        assert listed(source, "validation") == listed(source, "test")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", "`dataset` must be digits, imagenet2012, folder:PATH or tfds:NAME"),
        ("tfds:", "`dataset` must be digits"),
        ("folder:/absent", "`dataset`: there is no folder /absent"),
        ("folder:EMPTY", "`dataset`: no images for train in"),
        ("tfds:no_such_set", "`dataset`: TFDS knows no data set 'no_such_set'"),
        (
            "tfds:ag_news_subset",
            "`dataset`: 'ag_news_subset' has no `image`",
        ),
    ],
)
def test_what_is_no_data_set(tmp_path, name, message):
    with pytest.raises(SettingError) as caught:
        sources.open_source(name.replace("EMPTY", str(tmp_path)), tmp_path)
    assert str(caught.value).startswith(message)


def test_a_folder_without_images_or_a_hidden_one_is_no_class(tmp_path):
    write_images(tmp_path, ["cat", "dog", ".ipynb_checkpoints"], 20)
    (tmp_path / "empty").mkdir()
    source = sources.open_source(f"folder:{tmp_path}")
    assert source.labels == ["cat", "dog"]
    assert source.counts == {"train": 32, "validation": 4, "test": 4}


def test_names_of_files_need_not_be_text(tmp_path):
    write_images(tmp_path, ["cat", "dog"], 10)
    odd = os.fsencode(tmp_path) + b"/dog/\xff.jpg"
    os.rename(tmp_path / "dog" / sorted(os.listdir(tmp_path / "dog"))[0], odd)
    source = sources.open_source(f"folder:{tmp_path}")
    examples = [
        (name, encoded)
        for split in sources.SPLITS
        for encoded, _, name in source.read(split).as_numpy_iterator()
    ]
    assert len(examples) == 20
    with open(odd, "rb") as file:
        assert (odd, file.read()) in examples


@pytest.mark.parametrize("name", ["two\nlines", "two\u2028lines", "\x1b[31mred", b"latin-\xe9"])
def test_a_folder_whose_name_is_no_line_of_text_is_refused(tmp_path, name):
    write_images(tmp_path, ["cat", os.fsdecode(name)], 20)
    with pytest.raises(SettingError, match="`dataset`: a class must be named by one line") as error:
        sources.open_source(f"folder:{tmp_path}")
    assert str(error.value).isprintable()


def test_a_label_that_is_no_class_is_refused(tmp_path):
    class Captioned(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(), "label": tfds.features.Text()}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, _):
            raise AssertionError("nothing is to be made")

        def _generate_examples(self):
            return ()

    with pytest.raises(SettingError, match="has no `image` with a `label` that is a class"):
        sources.open_source("tfds:captioned", tmp_path)


def test_shards_are_disjoint_and_whole(tmp_path, data_dir):
    write_images(tmp_path, ["cat", "dog"], 10)
    for name in (f"folder:{tmp_path}", "tfds:digits"):
        source = sources.open_source(name, data_dir)
        parts = [listed(source, "train", seed=5, shard=(index, 3)) for index in range(3)]
        assert all(parts)
        whole = listed(source, "train")
        assert sorted(itertools.chain(*parts)) == sorted(whole)


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """A TFDS folder with archives like ImageNet's, of 12 training and 4 validation images."""
    folder = tmp_path_factory.mktemp("imagenet")
    manual = folder / "downloads" / "manual"
    manual.mkdir(parents=True)

    def pack(path, files):
        with tarfile.open(path, "w") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    classes = {}
    for number, synset in enumerate(SYNSETS):
        inner = folder / f"{synset}.tar"
        pack(inner, {f"{synset}_{i}.JPEG": jpeg(10 * number + i, (375, 500)) for i in range(4)})
        classes[inner.name] = inner.read_bytes()
    pack(manual / "ILSVRC2012_img_train.tar", classes)
    validation = {f"ILSVRC2012_val_{i:08d}.JPEG": jpeg(100 + i, (375, 500)) for i in range(1, 5)}
    pack(manual / "ILSVRC2012_img_val.tar", validation)
    return folder


def test_imagenet_through_its_real_builder_and_the_whole_recipe(imagenet):
    source = sources.open_source("imagenet2012", imagenet)
    assert len(source.labels) == 1000
    assert source.counts == {"train": 12, "validation": 4, "test": 4}
    builder = tfds.builder("imagenet2012", data_dir=imagenet)
    expected = sorted(example["label"] for example in tfds.as_numpy(builder.as_dataset("train")))
    assert expected == sorted([source.labels.index(synset) for synset in SYNSETS] * 4)

    recipe = load_recipe("imagenet_pale_t")
    transforms = classify.make_transforms(recipe, source)
    unreadable = Unreadable(0)
    batches = training_batches(source, transforms, 4, 0, 0, unreadable)
    seen = []
    for images, labels in batches.take(3):
        assert images.shape == (4, 224, 224, 3)
        assert 0 <= images.numpy().min() < images.numpy().max() <= 255.001
        np.testing.assert_allclose(labels.numpy().sum(axis=1), 1, atol=1e-5)
        seen.append(labels.numpy())
    heavy = np.argwhere(sum(seen).sum(axis=0) > 0.1)[:, 0]
    assert set(heavy) == set(expected)  # Mixup, CutMix and smoothing spread, but over these three
    ((images, labels, weights),) = evaluation_batches(
        source, "validation", transforms, 4, unreadable
    )
    assert images.shape == (4, 224, 224, 3)
    assert labels.shape == (4, 1000)
    assert weights.numpy().tolist() == [1, 1, 1, 1]
    assert not len(unreadable)
