"""Run by test_trainer.py in a process of its own: ten steps on one replica and on two.

Arguments: folder of TFDS data sets, dtype policy, and cases: names of attentions; `linear`, for
Pale attention with linear projections; `mixed`, for several of these in one network; `pale_n`, for
the network of that name; `additional losses`, for a step by hand; `segment`, for segmentation with
ignored pixels that are spread unevenly over the images; `detect`, for detection on images of
several shapes.
"""

import dataclasses
import json
import pathlib
import sys
import tempfile

if __name__ == "__main__":
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[3])

import keras
import numpy as np

from pale_tf import PaleConfig, segmenter
from tests.training import coco_folder
from tests.training.loop import additional
from tests.training.mask_folder import photograph, write_pair
from tests.training.small import small_network
from training.data.batches import training_batches
from training.data.mask_sources import open_mask_source
from training.data.masks import IGNORED
from training.data.object_sources import open_object_source
from training.data.sources import open_source
from training.data.unreadable import Unreadable
from training.distribution.strategies import distribute, make_strategy
from training.loop.building import make_trainer
from training.recipe import load_recipe
from training.tasks import classify, detect, segment

STEPS = 10
IMAGE_SIZE = 64  # the maps of the stages: 16, 8, 4 and 2


def train(strategy, recipe, task, source, rematerialized):
    """Ten steps.

    Returns:
        Everything that is trained or averaged, before and after, with the loss at the end of the
        latter; and the accuracies.
    """
    keras.utils.set_random_seed(0)
    trainer, _ = make_trainer(strategy, recipe, task, source, 19, rematerialized=rematerialized)
    transforms = task.make_transforms(recipe, source)
    batches = distribute(
        strategy,
        lambda batch_size, shard: training_batches(
            source,
            transforms,
            batch_size,
            0,
            0,
            Unreadable(0),
            shard=shard,
            padding=task.padding,
        ),
        recipe.batch_size,
    )
    variables = [*trainer.averaged, *trainer.averages]
    before = [variable.numpy() for variable in variables]
    trainer.fit(batches, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    loss, *accuracies = (float(value) for value in trainer.get_metrics_result().values())
    after = [*(variable.numpy() for variable in variables), np.array(loss)]
    return before, after, np.array(accuracies)


def make_network(case):
    """A small network, with a second block, whose windows are shifted, in the first stage."""
    if case == "mixed":
        options = ({}, {"region_size": 2}, {}, {"projection": "linear"})
        attentions = ("shifted_window", "messenger", "pale", "pale")
        changes = {"attention": attentions, "attention_options": options}
    elif case == "linear":
        changes = {"projection": "linear"}
    else:
        options = {"region_size": 2} if case == "messenger" else {}
        changes = {"attention": case, "attention_options": options}
    return small_network(10, IMAGE_SIZE, depths=(2, 1, 1, 1), **changes)


def segmentation(recipe, folder):
    """A recipe, a task and a source of photographs, of which every third has few pixels that
    count."""
    segmenter.DROPOUT = 0.0  # replicas draw masks of their own
    for index in range(40):
        image, mask = photograph(index, (64, 64))
        if index % 3 == 0:
            mask = np.where(np.arange(64)[:, None] < 50, IGNORED, mask).astype("uint8")
        write_pair(pathlib.Path(folder), f"{index:02}", image, mask)
    config = PaleConfig("small", 8, (1, 1, 1, 1), (2, 2, 2, 2), pale_size=2, drop_path_rate=0.0)
    recipe = dataclasses.replace(
        recipe,
        task="segment",
        model=config,
        image_size=IMAGE_SIZE,
        batch_size=16,
        settings={"channels": 8},
    )
    return recipe, segment.TASK, open_mask_source(f"masks:{folder}")


def detection(recipe, folder):
    """A recipe, a task and a source of photographs with objects."""
    coco_folder.write_cvat(pathlib.Path(folder), range(40))
    config = PaleConfig("small", 8, (1, 1, 1, 1), (2, 2, 2, 2), pale_size=2, drop_path_rate=0.0)
    settings = {"channels": 8, "regions": 16, "short_sides": [40, 56], "long_side": 80}
    recipe = dataclasses.replace(
        recipe, task="detect", model=config, batch_size=8, settings=settings
    )
    return recipe, detect.TASK, open_object_source(f"coco:{folder}")


def compare(case, strategies, recipe, source):
    """Largest difference between the two, the largest move of a weight, and the largest number of
    images that one of them counts as right and the other does not."""
    if case == "additional losses":
        errors = [additional.errors(strategy, 2) for strategy in strategies]
        around_norm = additional.errors_around_batch_norm(strategies[1])
        return max(float(np.max(errors)), around_norm), 1.0, 0
    task = classify.TASK
    if case in ("segment", "detect"):
        with tempfile.TemporaryDirectory() as folder:
            make = segmentation if case == "segment" else detection
            recipe, task, source = make(recipe, folder)
            return differences(strategies, recipe, task, source)
    if case != "pale_n":
        task = dataclasses.replace(task, make_network=lambda recipe, source: make_network(case))
        recipe = dataclasses.replace(recipe, image_size=IMAGE_SIZE, batch_size=16)
    if case == "linear":  # no statistics of BatchNorm move; AdamW's ten steps have to be longer
        recipe = dataclasses.replace(recipe, base_batch_size=16)
    return differences(strategies, recipe, task, source)


def differences(strategies, recipe, task, source):
    """The figures that `compare` returns, of a task."""
    one, two = strategies
    before, expected, right = train(one, recipe, task, source, ())
    # Rematerialization changes no number.
    _, actual, also_right = train(two, recipe, task, source, (1, 2, 3, 4))
    difference = max(np.abs(a - b).max() for a, b in zip(actual, expected, strict=True))
    moved = max(np.abs(a - b).max() for a, b in zip(before, expected, strict=False))
    images = np.abs(right - also_right).max() * STEPS * recipe.batch_size
    return float(difference), float(moved), round(float(images))


def main():
    data_dir, precision, *cases = sys.argv[1:]
    keras.config.set_dtype_policy(precision)
    changes = {"clip_norm": 0.5, "warmup_epochs": 0, "precision": precision, "settings": {}}
    recipe = dataclasses.replace(load_recipe("digits"), drop_path_rate=0.0, **changes)
    mirrored = make_strategy("mirrored", 2)
    strategies = (make_strategy("none"), mirrored)
    source = open_source("digits", data_dir)
    found = {case: compare(case, strategies, recipe, source) for case in cases}
    print(json.dumps({"replicas": mirrored.num_replicas_in_sync, "cases": found}))


if __name__ == "__main__":
    main()
