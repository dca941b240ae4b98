"""Listing images with masks: what belongs together, in which order, and what is passed over."""

import pytest

from training.data.mask_folders import list_annotations, list_masks


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_images_find_their_masks_by_name(tmp_path):
    touch(tmp_path, "images/a.jpg", "images/b.PNG", "images/c.d.webp", "images/e.jpeg")
    touch(tmp_path, "masks/a.png", "masks/b.PNG", "masks/c.d.png", "classes.txt")
    pairs = list_masks(tmp_path)
    names = {"a.jpg": "a.png", "b.PNG": "b.PNG", "c.d.webp": "c.d.png"}
    expected = [(f"{tmp_path}/images/{i}", f"{tmp_path}/masks/{m}") for i, m in names.items()]
    assert list(pairs.splits) == ["all"]
    assert sorted(pairs.splits["all"]) == [*expected, (f"{tmp_path}/images/e.jpeg", "")]
    assert pairs.passed_over == []


def test_the_order_is_random_and_always_the_same(tmp_path):
    for split in ("train", "val"):
        touch(
            tmp_path,
            *(f"{split}/{kind}/{i:02}.png" for kind in ("images", "masks") for i in range(30)),
        )
    first, again = list_masks(tmp_path).splits, list_masks(tmp_path).splits
    assert first == again
    assert list(first) == ["train", "validation"]
    orders = [[image[-6:-4] for image, _ in first[split]] for split in first]
    assert orders[0] != orders[1]
    assert all(sorted(order) == [f"{i:02}" for i in range(30)] != order for order in orders)


@pytest.mark.parametrize("names", [("val", "test"), ("validation",), ("val", "validation")])
def test_split_folders(tmp_path, names):
    for name in ("train", *names):
        touch(tmp_path, f"{name}/images/{name}.jpg", f"{name}/masks/{name}.png")
    splits = list_masks(tmp_path).splits
    held_out = [name for name in names if name != "test"]
    found = sorted(image for image, _ in splits["validation"])
    assert found == sorted(f"{tmp_path}/{name}/images/{name}.jpg" for name in held_out)
    assert ("test" in splits) == ("test" in names)


def test_every_entry_that_is_no_part_of_it_is_named(tmp_path):
    touch(
        tmp_path, "images/a.jpg", "images/a.png", "images/.b.jpg", "images/c.txt", "images/d/e.jpg"
    )
    touch(tmp_path, "masks/a.png", "masks/a.PNG", "masks/a.jpg", "masks/y.png", "masks/z.png")
    touch(tmp_path, "train/images/a.jpg", "readme.txt")
    pairs = list_masks(tmp_path)
    assert pairs.splits == {"all": [(f"{tmp_path}/images/a.jpg", f"{tmp_path}/masks/a.PNG")]}
    assert sorted(pairs.passed_over) == [
        f"1 a folder among images or masks, such as {tmp_path}/images/d",
        f"1 a mask that is not PNG by name, such as {tmp_path}/masks/a.jpg",
        f"1 hidden, such as {tmp_path}/images/.b.jpg",
        f"1 not JPEG, PNG, GIF, BMP or WebP by name, such as {tmp_path}/images/c.txt",
        f"2 a mask without an image, such as {tmp_path}/masks/y.png",
        f"2 a second one of the same name but for its suffix, such as {tmp_path}/images/a.png",
        f"2 outside the folders of images and masks, such as {tmp_path}/readme.txt",
    ]


@pytest.mark.parametrize("missing", ["train/images", "train/masks", "val/masks"])
def test_a_folder_that_is_not_there_is_an_error(tmp_path, missing):
    for name in {"train/images", "train/masks", "val/images", "val/masks"} - {missing}:
        touch(tmp_path, f"{name}/a.png")
    with pytest.raises(FileNotFoundError, match=missing):
        list_masks(tmp_path)


def test_ade20k_has_folders_of_its_own(tmp_path):
    for name in ("training", "validation"):
        touch(tmp_path, f"images/{name}/{name}.jpg", f"annotations/{name}/{name}.png")
    assert list_annotations(tmp_path).splits == {
        split: [
            (f"{tmp_path}/images/{name}/{name}.jpg", f"{tmp_path}/annotations/{name}/{name}.png")
        ]
        for split, name in (("train", "training"), ("validation", "validation"))
    }
