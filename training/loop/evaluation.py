"""Networks on a whole split, and the reports of what they gave."""

import sys

import numpy as np
import rich.progress
import tensorflow as tf

from common.errors import SettingError
from training.data.batches import whole_images


def evaluate_networks(inferences, task, source, split, transforms, batch_size, unreadable):
    """Runs networks over a split, on one device. The images are read once for all of them.

    Args:
        inferences: By name, functions of images `[b, H, W, 3]` to outputs: what
            `Task.make_inference` makes of networks.
        task: The `training.tasks.Task`.
        source: A `Source`.
        split: `train`, `validation` or `test`.
        transforms: The task's `Transforms`.
        batch_size: Images in a batch.
        unreadable: An `Unreadable`.

    Returns:
        Dict of the task's reports by name of the network, over the readable images of the split.

    Raises:
        UnreadableImagesError: If too many images cannot be read.
        SettingError: If none can.
    """
    # Traced for any number of images, again for the second size, and from then on for any size.
    inferences = {
        name: tf.function(infer, reduce_retracing=True) for name, infer in inferences.items()
    }
    reports = {name: task.make_report(task, source) for name in inferences}
    examples = whole_images(source, split, transforms, unreadable).as_numpy_iterator()
    shown = rich.progress.track(
        examples,
        description=f"evaluating on {split}",
        total=source.counts[split],
        transient=True,
        disable=not sys.stdout.isatty(),
    )
    for images, targets in batches_of_a_size(shown, batch_size, task.pixels):
        for name, infer in inferences.items():
            if not reports[name].images:  # the first batch
                infer.get_concrete_function(tf.TensorSpec((None, *images.shape[1:]), images.dtype))
            outputs = tf.nest.map_structure(lambda tensor: tensor.numpy(), infer(images))
            reports[name].add(images, outputs, targets)
        unreadable.check()
    unreadable.check()
    if not all(report.images for report in reports.values()):
        raise SettingError(f"no image of {split} can be read")
    return reports


def batches_of_a_size(examples, batch_size, pixels=None):
    """Batches of examples that follow one another and have the same size.

    Args:
        examples: An iterable of images `[H, W, 3]` and targets, structures of arrays.
        batch_size: Examples in a batch at most.
        pixels: Of all images of a batch together, at most; None for any number.

    Returns:
        A generator of images `[b, H, W, 3]` and targets `[b, …]`.
    """
    batch = []
    for example in examples:
        height, width, _ = example[0].shape
        most = batch_size if pixels is None else min(batch_size, pixels // (height * width))
        if batch and (example[0].shape != batch[0][0].shape or len(batch) >= most):
            yield _stack(batch)
            batch = []
        batch.append(example)
    if batch:
        yield _stack(batch)


def _stack(batch):
    return tf.nest.map_structure(lambda *arrays: np.stack(arrays), *batch)
