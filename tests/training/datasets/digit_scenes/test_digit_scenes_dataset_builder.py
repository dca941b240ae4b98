"""The data set of digits on photographs."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

import training.data.sources  # noqa: F401 - registers the builder
from training.datasets.digit_scenes import digit_scenes_dataset_builder, scenes
from training.datasets.digits.digits_dataset_builder import split_digits

SCENES = {"train": 12, "validation": 4, "test": 6}
DIGITS = [str(digit) for digit in range(10)]


def build(folder, counts):
    """A data set with other numbers of scenes, made and then opened as a stranger would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digit_scenes_dataset_builder, "SCENES", counts)
        builder = tfds.builder("digit_scenes", data_dir=folder)
        builder.download_and_prepare()
    return tfds.builder_from_directory(builder.data_path)


def read(builder, split):
    """Scenes of a split, in the order of TFDS, which is another one for another number of them."""
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("scenes"), SCENES)


@pytest.fixture(scope="module")
def examples(built):
    return [example for split in SCENES for example in read(built, split)]


def test_describes_itself_after_it_is_read_again(built):
    assert built.info.full_name == "digit_scenes/3.0.0"
    assert {name: split.num_examples for name, split in built.info.splits.items()} == SCENES
    assert built.info.metadata["segmentation_classes"] == ["background", *DIGITS]
    features = built.info.features
    assert set(features) == {"image", "segmentation_mask", "instance_mask", "objects"}
    assert features["image"].shape == (96, 96, 3)
    assert features["segmentation_mask"].shape == features["instance_mask"].shape == (96, 96, 1)
    assert features["objects"]["label"].names == DIGITS
    for name in ("image", "segmentation_mask", "instance_mask"):
        assert features[name].dtype == np.uint8
        assert features[name]._image_encoder.encoding_format == "png"


def test_full_size():
    assert digit_scenes_dataset_builder.SCENES == {"train": 5000, "validation": 200, "test": 400}


def test_masks_boxes_and_labels_agree_pixel_by_pixel(examples):
    for example in examples:
        instances = example["instance_mask"][..., 0]
        boxes, labels = example["objects"]["bbox"], example["objects"]["label"]
        classes = np.zeros((96, 96), int)
        tight = np.full((len(labels), 4), [96, 96, 0, 0])
        for (row, column), number in np.ndenumerate(instances):
            if number:
                classes[row, column] = labels[number - 1] + 1
                box = tight[number - 1]
                box[:2] = np.minimum(box[:2], (row, column))
                box[2:] = np.maximum(box[2:], (row + 1, column + 1))
        assert 1 <= len(labels) <= 3
        np.testing.assert_array_equal(example["segmentation_mask"][..., 0], classes)
        np.testing.assert_array_equal(boxes, (tight / 96).astype("float32"))


def test_a_scene_depends_on_its_split_and_index_only(built, examples, tmp_path):
    again = build(tmp_path, {"train": 3, "validation": 2, "test": 1})
    for split in SCENES:
        scenes_of = {example["image"].tobytes(): example for example in read(built, split)}
        for example in read(again, split):
            same = scenes_of[example["image"].tobytes()]
            for name in ("segmentation_mask", "instance_mask"):
                np.testing.assert_array_equal(example[name], same[name])
            for name in ("bbox", "label"):
                np.testing.assert_array_equal(example["objects"][name], same["objects"][name])
    assert len({example["image"].tobytes() for example in examples}) == len(examples)


def test_splits_share_neither_digits_nor_columns(monkeypatch):
    pools, crops = {}, {}
    draw, crop = scenes.draw, scenes.crop

    def spy_on_draw(rng, background, digits):
        pools[split] = digits
        return draw(rng, background, digits)

    def spy_on_crop(rng, photograph, columns):
        crops[split] = set(range(*columns))
        return crop(rng, photograph, columns)

    monkeypatch.setattr(scenes, "draw", spy_on_draw)
    monkeypatch.setattr(scenes, "crop", spy_on_crop)
    for split in SCENES:
        next(digit_scenes_dataset_builder.Builder._generate_examples(None, split))
    digits = load_digits()
    expected = split_digits(digits.target)
    assert sorted(np.concatenate(list(expected.values()))) == list(range(1797))
    for split, pool in pools.items():
        np.testing.assert_array_equal(pool, digits.images[expected[split]] / 16)
    assert sum(map(len, crops.values())) == len(set.union(*crops.values())) == 640


def test_a_scene_without_a_digit_is_drawn_again(monkeypatch):
    draw, calls = scenes.draw, []

    def find_no_place_at_first(rng, background, digits):
        calls.append(background)
        image, instances, *found = draw(rng, background, digits)
        return (image, instances, *found) if len(calls) > 1 else (image, 0 * instances, [], [])

    monkeypatch.setattr(scenes, "draw", find_no_place_at_first)
    _, example = next(digit_scenes_dataset_builder.Builder._generate_examples(None, "train"))
    assert len(calls) == 2
    assert not np.array_equal(*calls)
    assert example["instance_mask"].any()
