"""Segmenters: networks of images to a class for each pixel, `pale_tf.pale_segmenter`."""

import keras
import numpy as np
import tensorflow as tf

from common import overlays
from common.class_maps import BYTE, best_class, network_image, resized_classes
from common.errors import ProgramError, SettingError
from common.labels import labels_of
from common.limits import is_bearable, is_png
from common.orientation import upright_sides
from common.preparation import WHOLE_PIXELS, short_side_of
from common.run_files import LABELS
from export.serving.decoding import decode_image, decode_upright
from export.tasks import Task, label_files, label_page, labels_in
from export.verification import comparison
from pale_tf import names

# `error`: the largest difference of a logit, in parts of the largest logit. `agreement`: the share
# of pixels with the same class, of all pixels.
BOUNDS = {
    "float32": {"error": 1e-4, "agreement": 0.9999},
    "float16": {"agreement": 0.995},
    "bfloat16": {"agreement": 0.99},
    "dynamic": {"agreement": 0.99},
    "int8": {"agreement": 0.98},
}


def check(trained):
    """Raises a `SettingError` unless the network is a segmenter, and has a label for each class."""
    network = trained.network
    found = {layer.name for layer in network.layers}
    wanted = {names.merging(4), names.PREDICTIONS, names.LOGITS}
    if not wanted <= found or not isinstance(network.output, keras.KerasTensor):
        raise SettingError(
            f"argument RUN: must be a segmenter of one output; {network.name} is none"
        )
    labels_of(trained)
    short_side_of(trained.recipe)


class ClassMap(keras.layers.Layer):
    """The best class of each pixel: scores `[N, H, W, classes]` to uint8 `[N, H, W]`, or int32 if
    there are too many classes for a byte."""

    def call(self, scores):
        return best_class(scores)


def outputs(network):
    """The tensors `classes`, `[N, H, W]`; `logits`, at a quarter of the size; `probabilities`."""
    logits = network.get_layer(names.LOGITS).output
    return {
        "classes": ClassMap(name="classes")(logits),
        "logits": network.get_layer(names.PREDICTIONS).output,
        "probabilities": probabilities(network),
    }


def probabilities(network):
    """The tensor of the probabilities, `[N, H, W, classes]`, also of a network of logits."""
    if any(layer.name == names.PROBABILITIES for layer in network.layers):
        return network.output
    return keras.ops.softmax(network.output)


def reference(network, images):
    """Arrays of all `outputs`, and the pyramid."""
    wanted = {
        "logits": network.get_layer(names.PREDICTIONS).output,
        "probabilities": probabilities(network),
    }
    arrays = comparison.evaluate(network, wanted, images)
    return arrays | {"classes": arrays["probabilities"].argmax(axis=-1)}


def compare(found, expected):
    """Compares outputs.

    Args:
        found: Dict of arrays, some of `outputs`, with `classes` or `probabilities` among them.
        expected: Dict of arrays that has them all, for the same images.

    Returns:
        Dict of `agreement` and, if there are logits, `error`: see `BOUNDS`.

    Raises:
        ProgramError: If the arrays are not those of such a network.
    """
    comparison.check_shapes(found, expected)
    logits = {name: value for name, value in found.items() if name == "logits"}
    figures = {"error": comparison.largest_error(logits, expected)} if logits else {}
    classes = found["classes"] if "classes" in found else found["probabilities"].argmax(axis=-1)
    return figures | {"agreement": float((classes == expected["classes"]).mean())}


def answer(encoded, run, size, trained):
    """A PNG file of the class map of each image, and the labels of the classes.

    The image is brought to its size for the network by itself, and the probabilities back to the
    image's own size.
    """
    labels, short_side = labels_of(trained), short_side_of(trained.recipe)

    def prepare(image, orientation):
        own = upright_sides(tf.shape(image)[:2], orientation)
        return *network_image(image, size, short_side, orientation), own

    def mask(encoded):
        image, region, own = decode_image(encoded, prepare)
        image = tf.ensure_shape(image, (size, size, 3))
        scores = run(image[None])["probabilities"][0, : region[0], : region[1]]
        classes = resized_classes(scores, own)[..., None]
        wide = classes if classes.dtype == tf.uint8 else tf.cast(classes, tf.uint16)
        return tf.io.encode_png(wide)

    masks = tf.map_fn(mask, encoded, parallel_iterations=1, fn_output_signature=tf.string)
    return {
        "mask_bytes": masks,  # a name by which REST knows that it is no text
        "labels": tf.tile(tf.constant(labels)[None], (tf.size(encoded), 1)),
    }


def reference_answers(task, network, images, trained):
    """Class maps `[H, W]` of whole images, resized all at once."""
    size, short_side = network.input_shape[1], short_side_of(trained.recipe)
    model = keras.Model(network.inputs[0], probabilities(network))
    maps = []
    for image in images:
        given, (height, width) = network_image(image, size, short_side)
        scores = model.predict(given[None], verbose=0)[0, :height, :width]
        maps.append(tf.image.resize(scores, image.shape[:2]).numpy().argmax(axis=-1))
    return maps


def compare_answers(answers, expected, trained):
    """Compares the files of class maps with class maps.

    Args:
        answers: Dict of `mask_bytes`, `[N]`.
        expected: What `reference_answers` returns, for the same images.
        trained: The `Trained`.

    Returns:
        Dict of `agreement`, see `BOUNDS`.

    Raises:
        ProgramError: If a file is not a class map of the size of its image.
    """
    same = []
    for file, classes in zip(answers["mask_bytes"], expected, strict=True):
        try:
            found = read_mask(file, len(labels_of(trained)))
        except ValueError as error:
            raise ProgramError(f"the artifact's mask_bytes: {error}") from error
        comparison.check_shapes({"mask_bytes": found}, {"mask_bytes": classes})
        same.append((found == classes).ravel())
    return {"agreement": float(np.concatenate(same).mean())}


def read_mask(file, count):
    """The class map, integers `[H, W]`, in a PNG file of `count` classes.

    Raises:
        ValueError: If there is none in it.
    """
    if not isinstance(file, bytes):
        raise ValueError("a mask must be bytes")
    try:
        if not (is_png(file) and is_bearable(file)):
            raise ValueError("a mask must be a PNG file that is not too large")
        dtype = tf.uint8 if count <= BYTE else tf.uint16
        classes = tf.io.decode_png(file, channels=1, dtype=dtype).numpy()[..., 0]
    except tf.errors.InvalidArgumentError as error:
        raise ValueError("a mask must be a PNG file") from error
    if classes.max() >= count:
        raise ValueError(f"a mask has class {classes.max()}, and there are {count} labels")
    return classes


def lines(answer):
    """The classes that occur, a line each, with their share of the pixels, most pixels first."""
    labels = labels_in(answer)
    found = overlays.shares(read_mask(answer["mask_bytes"], len(labels)), len(labels))
    return [f"{share:7.2%}  {labels[place]}" for place, share in found]


def pictures(answer, file):
    """PNG files: the class map with a palette, and the map over the image."""
    labels = labels_in(answer)
    classes = read_mask(answer["mask_bytes"], len(labels))
    page = overlays.overlay(decode_upright(file), classes, labels)
    return {
        "-mask.png": overlays.encode_mask(classes, len(labels)),
        "-overlay.png": overlays.encode_picture(page),
    }


def facts(trained):
    """The number of classes, and how whole images are brought to a size."""
    short = short_side_of(trained.recipe)
    return {
        "classes": len(labels_of(trained)),
        "short side of whole images": short or "as it is",
        "pixels of whole images, at most": WHOLE_PIXELS,
    }


TASK = Task(
    check=check,
    batch=1,  # a server joins no images of different sizes, and these are large
    any_size=True,
    outputs=outputs,
    signatures={"serving_default": ("classes",), "scores": ("logits", "probabilities")},
    lite=("classes", "logits"),
    pixels=WHOLE_PIXELS,
    reference=reference,
    compare=compare,
    bounds=BOUNDS,
    higher_is_better=("agreement",),
    formats={"error": ".1e", "agreement": ".3%"},
    answer=answer,
    reference_answers=reference_answers,
    compare_answers=compare_answers,
    lines=lines,
    pictures=pictures,
    facts=facts,
    files=label_files,
    axis_files={"logits": LABELS},
    page=label_page,
)
