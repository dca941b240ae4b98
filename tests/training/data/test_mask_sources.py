"""Images with masks: from folders, from ADE20K's layout and from TFDS, against what was written."""

import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from common.errors import SettingError
from tests.export.encoding import encode
from tests.training.pixels import jpeg
from training.data.mask_sources import open_mask_source
from training.data.masks import decode_mask
from training.data.splits import SPLITS

ROWS, COLUMNS = 6, 8


def mask(seed, values):
    """A map of some values, each of which occurs."""
    rng = np.random.default_rng(seed)
    pixels = np.concatenate([values, rng.choice(values, ROWS * COLUMNS - len(values))])
    return rng.permutation(pixels).reshape(ROWS, COLUMNS).astype("uint8")


def as_palette(pixels):
    image = Image.new("P", pixels.shape[::-1])
    image.putdata(pixels.ravel().tolist())
    image.putpalette(list(range(250, 256)) * 128)
    return image


def write(images, masks, count, values, make=Image.fromarray):
    """Writes `count` images and masks into two folders; returns the masks by the image's path."""
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    pixels = {}
    for index in range(count):
        path = images / f"{index:03}.jpg"
        path.write_bytes(jpeg(index))
        pixels[str(path)] = mask(index, values)
        (masks / f"{index:03}.png").write_bytes(encode(make(pixels[str(path)]), "PNG"))
    return pixels


def listed(source, split, **options):
    return [
        (name.decode(), image, mask)
        for image, mask, name in source.read(split, **options).as_numpy_iterator()
    ]


def classes_of(source, split):
    """Decoded masks by name; None for what cannot be read."""
    found = {}
    for name, _, encoded in listed(source, split):
        classes, readable = decode_mask(tf.constant(encoded), source.table)
        found[name] = classes.numpy() if readable else None
    return found


def lookup(pixels, table):
    return np.vectorize(table.get)(pixels)


@pytest.mark.parametrize("missing", range(4))
def test_a_missing_mask_leaves_every_split_one_that_has_its(tmp_path, capsys, missing):
    write(tmp_path / "images", tmp_path / "masks", 4, [0, 1])
    (tmp_path / "masks" / f"00{missing}.png").unlink()
    source = open_mask_source(f"masks:{tmp_path}")
    assert "reading the 3 masks of" in capsys.readouterr().out
    assert source.counts == {"train": 2, "validation": 1, "test": 1}
    for split in ("validation", "test"):
        assert all(found is not None for found in classes_of(source, split).values())
    assert sum(found is None for found in classes_of(source, "train").values()) == 1


@pytest.mark.parametrize("make", [Image.fromarray, as_palette])
def test_without_names_the_values_are_the_classes(tmp_path, make, capsys):
    pixels = write(tmp_path / "images", tmp_path / "masks", 20, [0, 7, 100, 255], make)
    source = open_mask_source(f"masks:{tmp_path}")
    assert source.labels == ["0", "7", "100"]
    assert source.counts == {"train": 16, "validation": 2, "test": 2}
    assert source.passed_over == ()
    found = {}
    for split in SPLITS:
        for name, image, _ in listed(source, split):
            with open(name, "rb") as file:
                assert image == file.read()
        found |= classes_of(source, split)
    assert found.keys() == pixels.keys()
    for name, classes in found.items():
        expected = lookup(pixels[name], {0: 0, 7: 1, 100: 2, 255: 255})
        np.testing.assert_array_equal(classes, expected)
    assert capsys.readouterr().out == (
        f"reading the 20 masks of {tmp_path} to find their classes\n"
    )


def test_names_decide_which_values_are_classes(tmp_path, capsys):
    pixels = write(tmp_path / "images", tmp_path / "masks", 10, [0, 2, 255])
    odd = write(tmp_path / "images", tmp_path / "masks", 1, [0, 3])
    (tmp_path / "classes.txt").write_bytes("\ufeffsky\r\n cat \r\ndog\r\n\r\n".encode())
    source = open_mask_source(f"masks:{tmp_path}")
    assert source.labels == ["sky", "cat", "dog"]
    found = {}
    for split in SPLITS:
        found |= classes_of(source, split)
    for name, classes in found.items():
        if name in odd:
            assert classes is None
        else:
            np.testing.assert_array_equal(classes, pixels[name])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("held_out", [("val",), ("test",), ("validation", "test")])
def test_folders_of_splits(tmp_path, held_out):
    for count, name in enumerate(("train", *held_out), start=3):
        write(tmp_path / name / "images", tmp_path / name / "masks", count, [count, 9])
    source = open_mask_source(f"masks:{tmp_path}")
    assert source.labels == [str(value) for value in (*range(3, 4 + len(held_out)), 9)]
    assert source.counts == {"train": 3, "validation": 4, "test": 3 + len(held_out)}
    for split, folder in (("train", "train"), ("validation", held_out[0]), ("test", held_out[-1])):
        assert all(f"/{folder}/images/" in name for name, *_ in listed(source, split))


def test_an_image_without_a_mask_that_may_be_read_has_an_empty_one(tmp_path, monkeypatch):
    pixels = write(tmp_path / "images", tmp_path / "masks", 30, [1, 2])
    (tmp_path / "masks" / "004.png").unlink()
    (tmp_path / "masks" / "005.png").write_bytes(b"no PNG")
    (tmp_path / "masks" / "lost.png").write_bytes(b"no PNG")
    access = os.access
    secret = ("images/006.jpg", "masks/007.png")
    monkeypatch.setattr(
        os, "access", lambda path, mode: not str(path).endswith(secret) and access(path, mode)
    )
    source = open_mask_source(f"masks:{tmp_path}")
    assert sum(source.counts.values()) == 30
    assert source.passed_over == (f"1 a mask without an image, such as {tmp_path}/masks/lost.png",)
    examples = {
        name[-7:-4]: (image, encoded)
        for split in SPLITS
        for name, image, encoded in listed(source, split)
    }
    assert len(examples) == len(pixels)
    empty = {name: [not part for part in parts] for name, parts in examples.items()}
    assert {name for name, (image, _) in empty.items() if image} == {"006"}
    assert {name for name, (_, encoded) in empty.items() if encoded} == {"004", "007"}
    unread = {
        name[-7:-4]
        for split in SPLITS
        for name, classes in classes_of(source, split).items()
        if classes is None
    }
    assert unread == {"004", "005", "007"}


def test_names_of_files_need_not_be_text(tmp_path):
    write(tmp_path / "images", tmp_path / "masks", 3, [1, 2])
    for folder, suffix in (("images", b"jpg"), ("masks", b"png")):
        place = os.fsencode(tmp_path / folder)
        os.rename(place + b"/000." + suffix, place + b"/\xff." + suffix)
    source = open_mask_source(f"masks:{tmp_path}")
    found = [example for split in SPLITS for example in source.read(split).as_numpy_iterator()]
    names = {os.path.basename(name) for *_, name in found}
    assert names == {b"\xff.jpg", b"001.jpg", b"002.jpg"}
    assert all(image and encoded for image, encoded, _ in found)


def test_a_seed_decides_the_order_and_shards_are_disjoint_and_whole(tmp_path, data_dir, scenes):
    write(tmp_path / "images", tmp_path / "masks", 30, [1, 2])
    for name in (f"masks:{tmp_path}", f"tfds:{scenes}"):
        source = open_mask_source(name, data_dir)
        whole = listed(source, "train")
        orders = [listed(source, "train", seed=seed) for seed in (5, 5)]
        assert orders[0] == orders[1]
        assert sorted(orders[0]) == sorted(whole)
        parts = [listed(source, "train", seed=5, shard=(index, 3)) for index in range(3)]
        assert all(parts)
        assert sorted(itertools.chain(*parts)) == sorted(whole)
    shuffled = open_mask_source(f"masks:{tmp_path}")
    assert listed(shuffled, "train", seed=5) != listed(shuffled, "train", seed=6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits", "`dataset` must be digit_scenes, masks:"),
        ("masks:", "`dataset` must be digit_scenes"),
        ("masks:/absent", "`dataset`: there is no folder /absent"),
        ("ade20k:/absent", "`dataset`: there is no folder /absent"),
        (
            "masks:PATH",
            "`dataset`: cannot read PATH: [Errno 2] No such file or directory: 'PATH/tr",
        ),
        (
            "ade20k:PATH",
            "`dataset`: cannot read PATH: [Errno 2] No such file or directory: 'PATH/i",
        ),
        ("tfds:no_such_set", "`dataset`: TFDS knows no data set 'no_such_set'"),
        ("tfds:digits", "`dataset`: 'digits' has no `image` with a `segmentation_mask`"),
    ],
)
def test_what_is_no_data_set(tmp_path, name, message):
    with pytest.raises(SettingError) as caught:
        open_mask_source(name.replace("PATH", str(tmp_path)), tmp_path)
    assert str(caught.value).startswith(message.replace("PATH", str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_another_name_is_answered_with_those_that_there_are():
    with pytest.raises(SettingError) as caught:
        open_mask_source("folder:PATH")
    assert str(caught.value) == (
        "`dataset` must be digit_scenes, masks:PATH, ade20k:PATH or tfds:NAME. "
        "Received: 'folder:PATH'"
    )


def test_too_few_images_and_empty_splits_say_what_is_expected(tmp_path):
    write(tmp_path / "images", tmp_path / "masks", 2, [1, 2])
    (tmp_path / "images" / "notes.txt").touch()
    message = (
        r"no images for test in .*; expected at least 3 images with masks, as .*/images/\*.jpg "
        r"with .*Received: 2 images; passed over: 1 not JPEG, PNG"
    )
    with pytest.raises(SettingError, match=message):
        open_mask_source(f"masks:{tmp_path}")
    for name in ("train", "val"):
        write(tmp_path / "split" / name / "images", tmp_path / "split" / name / "masks", 0, [1, 2])
    with pytest.raises(SettingError, match="no images for train in"):
        open_mask_source(f"masks:{tmp_path}/split")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [0, 255],
            r"masks must have 2 to 255 classes. Received: .* with 1, \['0'\]; masks of 0 and",
        ),
        ([255], r"with 0, \[\]; masks of 0 and 255 have one class, for 255 is ignored"),
    ],
)
def test_masks_of_one_class_are_refused(tmp_path, values, message):
    write(tmp_path / "images", tmp_path / "masks", 3, values)
    with pytest.raises(SettingError, match=message):
        open_mask_source(f"masks:{tmp_path}")


def test_more_classes_than_fit_are_refused(tmp_path):
    write(tmp_path / "images", tmp_path / "masks", 3, [0, 1])
    wide = np.arange(300, dtype="uint16")[None]
    (tmp_path / "masks" / "001.png").write_bytes(encode(Image.fromarray(wide), "PNG"))
    with pytest.raises(SettingError, match=r"2 to 255 classes\. Received: .* 299, "):
        open_mask_source(f"masks:{tmp_path}")
    (tmp_path / "classes.txt").write_text("".join(f"{k}\n" for k in range(256)))
    with pytest.raises(SettingError, match=r"2 to 255 classes\. Received: .* 256, "):
        open_mask_source(f"masks:{tmp_path}")
    (tmp_path / "classes.txt").write_text("".join(f"{k}\n" for k in range(255)))
    assert open_mask_source(f"masks:{tmp_path}").table.tolist() == list(range(256))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a class must be named by one line of text. Received: ''"),
        (b"cat\n\ndog\n", "a class must be named by one line of text. Received: ''"),
        (b"cat\n\xff\n", "a class must be named by one line of text"),
        (b"cat\nd\x1bog\n", "a class must be named by one line of text"),
        (b"cat\ndog\ncat\n", "the names of classes must differ. Received: 'cat' twice"),
        (b"cat\n", "masks must have 2 to 255 classes"),
        (None, r"cannot read .*classes.txt: Is a directory"),
    ],
)
def test_bad_names_are_refused(tmp_path, content, message):
    write(tmp_path / "images", tmp_path / "masks", 3, [0, 1])
    if content is None:
        (tmp_path / "classes.txt").mkdir()
    else:
        (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(SettingError, match=message) as caught:
        open_mask_source(f"masks:{tmp_path}")
    assert str(caught.value).isprintable()


def write_ade20k(root):
    pixels = {}
    for count, name in ((4, "training"), (2, "validation")):
        places = (root / "images" / name, root / "annotations" / name)
        pixels |= write(*places, count, [0, 1, 17, 150])
    return pixels


def ade20k_names(names):
    rows = [f"{k}\t0.1\t10\t1\t1\t{name}" for k, name in enumerate(names, start=1)]
    return "\n".join(["Idx\tRatio\tTrain\tVal\tStuff\tName", *rows, ""])


@pytest.mark.parametrize("around", ["", "ADEChallengeData2016"])
def test_ade20k_as_it_unpacks(tmp_path, around):
    pixels = write_ade20k(tmp_path / around)
    source = open_mask_source(f"ade20k:{tmp_path}")
    assert source.labels == [str(k) for k in range(1, 151)]
    assert source.counts == {"train": 4, "validation": 2, "test": 2}
    assert listed(source, "validation") == listed(source, "test")
    found = classes_of(source, "train") | classes_of(source, "test")
    assert found.keys() == pixels.keys()
    for name, classes in found.items():
        np.testing.assert_array_equal(
            classes, lookup(pixels[name], {0: 255, 1: 0, 17: 16, 150: 149})
        )


def test_ade20k_s_names(tmp_path):
    write_ade20k(tmp_path)
    names = ["wall", "building, edifice", "screen;door", "screen, crt"]
    names += [f"thing {k}, other" for k in range(5, 151)]
    (tmp_path / "objectInfo150.txt").write_text(ade20k_names(names))
    labels = open_mask_source(f"ade20k:{tmp_path}").labels
    assert labels[:5] == ["wall", "building", "screen", "screen (4)", "thing 5"]
    assert labels[-1] == "thing 150"
    (tmp_path / "objectInfo150.txt").write_text(ade20k_names(names[:-1]))
    with pytest.raises(SettingError, match=r"objectInfo150.txt must have .* Received: 149 rows"):
        open_mask_source(f"ade20k:{tmp_path}")


class SceneBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Four images with masks of the values 1 and 3, and 255 that is ignored, for each split."""

    VERSION = tfds.core.Version("1.0.0")
    METADATA = None

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "segmentation_mask": tfds.features.Image(shape=(None, None, 1)),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            metadata=self.METADATA and tfds.core.MetadataDict(self.METADATA),
        )

    def _split_generators(self, _):
        return {"train": self._generate_examples(0), "test": self._generate_examples(10)}

    def _generate_examples(self, first):
        for seed in range(first, first + 9):
            image = np.full((ROWS, COLUMNS, 3), seed, "uint8")
            yield seed, {"image": image, "segmentation_mask": mask(seed, [1, 3, 255])[..., None]}


class UnnamedScenes(SceneBuilder, skip_registration=True):
    pass


class NamedScenes(SceneBuilder, skip_registration=True):
    METADATA = {"segmentation_classes": ["sky", "sea", "sun", "moon"]}  # noqa: RUF012


class OxfordIiitPet(SceneBuilder, skip_registration=True):
    pass


class DigitScenes(NamedScenes, skip_registration=True):
    pass


BUILDERS = {
    builder.name: builder for builder in (UnnamedScenes, NamedScenes, OxfordIiitPet, DigitScenes)
}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """TFDS knows the builders of this file, while a test of it runs."""
    find = tfds.builder

    def builder(name, **options):
        return BUILDERS[name](**options) if name in BUILDERS else find(name, **options)

    monkeypatch.setattr(tfds, "builder", builder)


@pytest.fixture
def scenes():
    return UnnamedScenes.name


@pytest.mark.parametrize(
    ("name", "labels", "table"),
    [
        ("tfds:unnamed_scenes", ["1", "3"], {1: 0, 3: 1, 255: 255}),
        ("tfds:named_scenes", ["sky", "sea", "sun", "moon"], {1: 1, 3: 3, 255: 255}),
        ("tfds:oxford_iiit_pet", ["pet", "background"], {1: 0, 3: 255, 255: 255}),
        ("digit_scenes", ["sky", "sea", "sun", "moon"], {1: 1, 3: 3, 255: 255}),
    ],
)
def test_data_sets_of_tfds(data_dir, name, labels, table):
    for _ in range(2):  # built, and read again
        source = open_mask_source(name, data_dir)
        assert source.labels == labels
        assert source.counts == {"train": 9, "validation": 9, "test": 9}
        found = {}
        for split in ("train", "test"):
            masks = classes_of(source, split)
            for example, image, _ in listed(source, split):
                found[int(tf.io.decode_png(image)[0, 0, 0])] = masks[example]
        assert sorted(found) == [*range(9), *range(10, 19)]
        for seed, classes in found.items():
            np.testing.assert_array_equal(classes, lookup(mask(seed, [1, 3, 255]), table))


def test_the_trimap_of_pets_has_a_border_that_is_ignored(data_dir):
    table = open_mask_source("tfds:oxford_iiit_pet", data_dir).table
    assert table[:4].tolist() == [-1, 0, 1, 255]
