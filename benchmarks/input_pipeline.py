"""Images per second of the input pipeline, stage by stage, on generated 500×375 JPEGs.

python -m benchmarks.input_pipeline                   # prints a table
python -m benchmarks.input_pipeline --json FILE       # and writes every repetition
"""

import dataclasses
import os
import pathlib
import statistics
import time

import keras
import keras_cv
import numpy as np
import tensorflow as tf
from rich.progress import track

from benchmarks.flags import make_parser
from benchmarks.tables import print_table
from benchmarks.timing import origin
from common.files import write_json
from training.data.batches import training_batches
from training.data.sources import Source
from training.data.unreadable import Unreadable
from training.recipe import load_recipe
from training.tasks import load_task

HEIGHT, WIDTH = 375, 500
BATCH = 64
REFERENCE = "decode and crop, resized"
LIBRARIES = {
    "Keras": lambda: keras.layers.RandAugment(num_ops=2, factor=0.9),
    "keras-cv": lambda: keras_cv.layers.RandAugment(
        (0, 255), augmentations_per_image=2, magnitude=0.9, seed=1
    ),
}


def main(argv=None):
    flags = parse_flags(argv)
    source = make_source(flags.images)
    pipelines = make_pipelines(source)
    rates = {name: [] for name in pipelines}
    for _ in track(range(flags.repetitions), description="measuring", transient=True):
        for name, batches in pipelines.items():  # interleaved: the machine's mood changes
            rates[name].append(measure(batches, flags.seconds))
    report(rates)
    if flags.json:
        result = {
            "images_per_second": rates,
            "jpeg_bytes": int(
                np.mean([len(e) for e, *_ in source.read("train").as_numpy_iterator()])
            ),
        }
        write_json(flags.json, result | origin())


def parse_flags(argv):
    parser = make_parser("input_pipeline", __doc__)
    parser.add_argument("--images", type=int, default=128, help="JPEGs (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--repetitions", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--json", type=pathlib.Path, help="also write the rates to this file")
    return parser.parse_args(argv)


def make_source(count):
    """JPEGs like photographs in size: smooth colors and some noise."""
    encoded = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        colors = rng.normal(128, 60, (25, 34, 3)).astype("float32")
        image = tf.image.resize(colors, (HEIGHT, WIDTH), "bicubic")
        image += rng.normal(0, 6, (HEIGHT, WIDTH, 3))
        image = tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)
        encoded.append(tf.io.encode_jpeg(image, quality=92).numpy())

    def read(split, seed=None, shard=(0, 1)):
        names = [str(index) for index in range(count)]
        labels = np.arange(count) % 1000
        return tf.data.Dataset.from_tensor_slices((encoded, labels, names))

    return Source([str(index) for index in range(1000)], {"train": count}, read)


def make_pipelines(source):
    """Endless data sets of batches, by name; each does what the one before does, and more."""
    recipe = load_recipe("imagenet_pale_t")
    task = load_task(recipe.task)
    plain = {"crop_area": recipe.settings["crop_area"], "flip": True}
    size = (recipe.image_size, recipe.image_size)
    examples = source.read("train").repeat().enumerate()

    def decode(place, example):
        return tf.image.decode_jpeg(example[0], channels=3)[: size[0], : size[1]]

    def crop(place, example):
        shape = tf.image.extract_jpeg_shape(example[0])
        begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
            shape,
            tf.zeros((1, 0, 4)),
            seed=(place, 0),
            min_object_covered=0.0,
            area_range=(plain["crop_area"], 1.0),
            use_image_if_no_bounding_boxes=True,
        )
        window = tf.concat([begin[:2], extent[:2]], axis=0)
        image = tf.image.decode_and_crop_jpeg(example[0], window, channels=3)
        return tf.image.resize(image, size)

    def batched(function):
        return examples.map(function, tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def trained(settings):
        transforms = task.make_transforms(dataclasses.replace(recipe, settings=settings), source)
        return training_batches(source, transforms, BATCH, 0, 0, Unreadable(0), guarded=False)

    def augmented(layer):
        return batched(lambda place, example: layer(crop(place, example)))

    return {
        "decode": batched(decode),
        REFERENCE: batched(crop),
        "crop and flip": trained(plain),
        "crop, flip, RandAugment": trained(plain | {"rand_augment": 9}),
        "whole recipe": trained(recipe.settings),
        **{f"crop, RandAugment of {name}": augmented(make()) for name, make in LIBRARIES.items()},
    }


def measure(batches, seconds):
    """Images per second, after a first batch that builds and fills the pipeline."""
    iterator = iter(batches)
    next(iterator)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        next(iterator)
        count += BATCH
    return count / elapsed


def report(rates):
    """Prints medians, and ratios to decoding and cropping in the same repetition."""
    rows = [["", "images/s", f"of “{REFERENCE}”"]]
    for name, values in rates.items():
        ratios = [rate / base for rate, base in zip(values, rates[REFERENCE], strict=True)]
        spread = f"{statistics.median(ratios):.0%} ({min(ratios):.0%} to {max(ratios):.0%})"
        rows.append([name, f"{statistics.median(values):.0f}", spread])
    print_table(rows, f"input pipeline, {HEIGHT}×{WIDTH} to 224×224, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
