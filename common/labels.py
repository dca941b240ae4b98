"""Names of classes: `labels.txt` of a run, a line each, in the order of the network's outputs."""

import unicodedata

from common.errors import SettingError

# Unicode's categories of control characters, line and paragraph separators, and of what is no text.
_UNPRINTABLE = ("Cc", "Zl", "Zp", "Cs")


def check_labels(labels, where):
    """Checks that every name of a class is a line of text, safe to print and to write.

    Args:
        labels: Names of classes.
        where: What they are from, for the error.

    Raises:
        SettingError: If one is empty, or contains a line break or another control character, or
            bytes that are not UTF-8.
    """
    for label in labels:
        bad = [char for char in label if unicodedata.category(char) in _UNPRINTABLE]
        if bad or not label:
            reason = f"it contains {bad[0]!r}" if bad else "it is empty"
            raise SettingError(
                f"{where}: a class must be named by one line of text. Received: {label!r}; {reason}"
            )


def labels_text(labels):
    """The contents of `labels.txt`."""
    return "".join(f"{label}\n" for label in labels)


def labels_of(trained):
    """Returns the names of the classes of a network.

    Args:
        trained: A `common.trained.Trained` whose network ends in `[…, classes]`, or is a detector.

    Returns:
        List of texts: the labels of the run or, without any, the numbers of the classes.

    Raises:
        SettingError: If the run has another number of labels than the network has classes.
    """
    classes = classes_of(trained.network)
    labels = trained.labels or [str(index) for index in range(classes)]
    if len(labels) != classes:
        raise SettingError(
            f"argument RUN: {trained.folder} has {len(labels)} labels for a network of "
            f"{classes} classes"
        )
    return labels


def classes_of(network):
    """The number of classes of a network: as in `labels_of`."""
    from pale_tf import names  # with Keras, which takes seconds to import; wrong flags need neither

    heads = [layer for layer in network.layers if layer.name == names.BOX_HEAD]
    return heads[0].classes if heads else network.output_shape[-1]
