"""Names of classes: `labels.txt` of a run, a line each, in the order of the network's outputs."""

from common.errors import SettingError


def labels_text(labels):
    """The contents of `labels.txt`."""
    return "".join(f"{label}\n" for label in labels)


def labels_of(trained):
    """Returns the names of the classes of a classifier.

    Args:
        trained: A `common.trained.Trained` whose network ends in `[N, classes]`.

    Returns:
        List of texts: the labels of the run or, without any, the numbers of the classes.

    Raises:
        SettingError: If the run has another number of labels than the network has classes.
    """
    classes = trained.network.output_shape[-1]
    labels = trained.labels or [str(index) for index in range(classes)]
    if len(labels) != classes:
        raise SettingError(
            f"argument RUN: {trained.folder} has {len(labels)} labels for a network of "
            f"{classes} classes"
        )
    return labels
