"""Images and labels from TFDS to batches."""

import tensorflow as tf
import tensorflow_datasets as tfds

import training.datasets.digits  # noqa: F401 - registers the builder
from training.augmentation import make_augmentation
from training.recipe import SettingError

SPLITS = ["train", "validation", "test"]
SHUFFLE_BUFFER = 10_000  # images


def load_splits(recipe, data_dir):
    """Loads the recipe's data set, and builds it first if need be.

    Args:
        recipe: A `Recipe`.
        data_dir: Folder of TFDS data sets, or None for TFDS' own default.

    Returns:
        Dict of the splits `train`, `validation` and `test`, each a `tf.data.Dataset` of uint8
        images `[h, w, c]` and integer labels; and the names of the classes.
    """
    datasets, info = tfds.load(
        recipe.dataset,
        split=SPLITS,
        data_dir=data_dir,
        as_supervised=True,
        with_info=True,
        # Nothing is cached in memory, here and below: under MirroredStrategy, TensorFlow 2.21 now
        # and then ends a cached data set before its last elements, without an error.
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    return dict(zip(SPLITS, datasets, strict=True)), info.features["label"].names


def training_batches(dataset, recipe, seed):
    """Shuffled and augmented batches of a training split, an epoch of whole batches.

    Args:
        dataset: The split, as `load_splits` gives it.
        recipe: A `Recipe`.
        seed: Integer seed.

    Returns:
        A `tf.data.Dataset` of images `[B, S, S, 3]`, float in 0..255, and integer labels `[B]`.

    Raises:
        SettingError: If there is no whole batch.
    """
    count = len(dataset)
    if recipe.batch_size > count:
        raise SettingError(
            f"`batch_size` must be at most {count}, the number of training images. "
            f"Received: {recipe.batch_size}"
        )
    images = _sized(dataset.shuffle(min(count, SHUFFLE_BUFFER), seed=seed), recipe.image_size)
    batches = images.batch(recipe.batch_size, drop_remainder=True)
    augment = make_augmentation(recipe, seed)
    batches = batches.map(lambda image, label: (augment(image), label))
    # One call at a time: random numbers are then drawn in the order of the batches, run for run.
    options = tf.data.Options()
    options.experimental_optimization.map_parallelization = False
    return batches.with_options(options).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(dataset, recipe):
    """Batches of a whole split in order, as `training_batches` gives them but not augmented."""
    return _sized(dataset, recipe.image_size).batch(recipe.batch_size).prefetch(tf.data.AUTOTUNE)


def evaluation_image(image, size):
    """Scales the short side of an image to `size` and crops the centre.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        size: Height and width of the result, in pixels.

    Returns:
        float32 `[size, size, 3]`.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    scale = size / tf.minimum(height, width)
    scaled = tf.cast(tf.round(tf.cast((height, width), scale.dtype) * scale), tf.int32)
    image = tf.image.resize(image, tf.maximum(scaled, size), antialias=True)
    image = tf.image.resize_with_crop_or_pad(image, size, size)
    return tf.broadcast_to(image, (size, size, 3))


def _sized(dataset, size):
    """The images of `dataset` at the size of the network, with their labels."""
    return dataset.map(
        lambda image, label: (evaluation_image(image, size), label),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
