"""Networks on a whole split, and the reports of what they gave."""

import sys

import rich.progress
import tensorflow as tf

from common.errors import SettingError
from training.data.batches import evaluation_batches


def evaluate_networks(networks, task, source, split, transforms, batch_size, unreadable):
    """Runs networks over a split, on one device. The images are read once for all of them.

    Args:
        networks: Dict of `keras.Model`s by name.
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
    runs = {name: _compiled(network) for name, network in networks.items()}
    reports = {name: task.make_report(task, source) for name in networks}
    batches = evaluation_batches(source, split, transforms, batch_size, unreadable)
    shown = rich.progress.track(
        batches,
        description=f"evaluating on {split}",
        transient=True,
        disable=not sys.stdout.isatty(),
    )
    for images, targets, weights in shown:
        counted = weights.numpy() > 0
        readable_images, readable_targets = _rows((images, targets), counted)
        for name, run in runs.items():
            if counted.any():
                reports[name].add(readable_images, _rows(run(images), counted), readable_targets)
        unreadable.check()
    if not all(report.images for report in reports.values()):
        raise SettingError(f"no image of {split} can be read")
    return reports


def _compiled(network):
    return tf.function(lambda images: network(images, training=False))


def _rows(tensors, chosen):
    """Arrays of those rows of tensors that a boolean array chooses."""
    return tf.nest.map_structure(lambda tensor: tensor.numpy()[chosen], tensors)
