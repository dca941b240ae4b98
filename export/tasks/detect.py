"""Detectors: networks of images to boxes, classes and masks of objects, `pale_tf.pale_detector`."""

import functools

import numpy as np
import tensorflow as tf

from common.class_maps import network_image
from common.errors import SettingError
from common.instances import SHOWN, draw_objects, paste_mask
from common.labels import labels_of
from common.orientation import upright_sides
from common.overlays import encode_picture
from common.preparation import WHOLE_PIXELS, scaled_image, scaled_sides_of
from export.serving.decoding import decode_image, decode_upright
from export.tasks import Task, label_files, label_page, labels_in, named_outputs
from export.verification import comparison, detections
from pale_tf import names

# See `export.verification.detections.compare`; `error` is that of the features.
BOUNDS = {
    "float32": {"matched": 0.99, "box": 0.1, "score": 1e-3, "mask": 1e-2, "error": 1e-4},
    "float16": {"matched": 0.95},
    "bfloat16": {"matched": 0.9},
    "dynamic": {"matched": 0.9},
}
LOWEST = "lowest"  # among the reference's arrays: see `export.verification.detections.compare`
OUTSIDE = 1.0  # pixels that a box of an answer may reach beyond its image
LARGEST_MASK = 256  # cells along a side


def check(trained):
    """Raises a `SettingError` unless the network is a detector, and has a label for each class."""
    network = trained.network
    found = {layer.name for layer in network.layers}
    wanted = {names.merging(4), names.PROPOSALS, names.BOX_HEAD, names.DETECTIONS}
    if not wanted <= found:
        raise SettingError(f"argument RUN: must be a detector; {network.name} is none")
    labels_of(trained)
    scaled_sides_of(trained.recipe)


def reference(network, images):
    """Arrays of all outputs, the pyramid, and `lowest`, the score that a detection must exceed."""
    arrays = comparison.evaluate(network, named_outputs(network), images)
    return arrays | {LOWEST: lowest(network, arrays)}


def lowest(network, arrays):
    """The score that a detection of each image must exceed, `[B]`: the network's threshold or,
    where there are as many detections as it may give, the score of the last one."""
    layer = network.get_layer(names.DETECTIONS)
    full = arrays["count"] == layer.count
    return np.where(full, arrays["scores"][:, -1], layer.score_threshold)


def compare(found, expected):
    """Compares outputs.

    Args:
        found: Dict of arrays, the outputs of a detector.
        expected: What `reference` returns for the same images.

    Returns:
        Dict of `objects`, `matched`, `box`, `score` and `mask`: see
        `export.verification.detections.compare`.

    Raises:
        ProgramError: If the arrays are not those of such a network.
    """
    comparison.check_shapes(found, expected)
    return detections.compare(found, expected, expected[LOWEST])


def given_image(image, size, sides, orientation=1):
    """An image as the network gets it, and how much of that, from the top left, is the image.

    Args:
        image: `[H, W, 3]`.
        size: Height and width of the network's images, which the image is fitted into; None for a
            network that takes the whole image in any size.
        sides: Its short and long side then, see `common.preparation.scaled_size`.
        orientation: As in `common.preparation.scaled_image`.

    Returns:
        float32 `[h, w, 3]`, and int32 `[2]`.
    """
    if size is not None:
        return network_image(image, size, None, orientation)
    scaled = scaled_image(image, *sides, orientation)
    return scaled, tf.shape(scaled)[:2]


def answer(encoded, run, size, trained):
    """The outputs of the network for each image, and the labels of the classes.

    The image is brought to its size for the network by itself, and its objects back.
    """
    labels, sides = labels_of(trained), scaled_sides_of(trained.recipe)

    def prepare(image, orientation):
        own = upright_sides(tf.shape(image)[:2], orientation)
        return *given_image(image, size, sides, orientation), own

    def detect(encoded):
        image, region, own = decode_image(encoded, prepare)
        image = tf.ensure_shape(image, (size, size, 3))
        found = {name: value[0] for name, value in run(image[None]).items()}
        return objects_in_image(found, region, own)

    form = {
        name: tf.TensorSpec(value.shape[1:], value.dtype)
        for name, value in named_outputs(trained.network).items()
    }
    found = tf.map_fn(detect, encoded, parallel_iterations=1, fn_output_signature=form)
    return found | {"labels": tf.tile(tf.constant(labels)[None], (tf.size(encoded), 1))}


def file_answer(image, run, size, trained):
    """Answers as `answer` does, in OpenVINO's operations. Clients need no OpenVINO: it is imported
    here."""
    from openvino import opset15 as ops

    from export.intermediate import files

    if size is not None:
        given, part = files.fitted_image(image, size)
    else:
        given = part = files.scaled_image(image, *scaled_sides_of(trained.recipe))
    found = run(given)
    own, region = (
        ops.gather(files.sides_of(x, "f32"), ops.constant([1, 0, 1, 0]), ops.constant(0))
        for x in (image, part)
    )
    whole = ops.multiply(found["boxes"], ops.divide(own, region))
    boxes = ops.minimum(ops.maximum(whole, ops.constant(np.float32(0))), own)
    if "masks" in found:
        cells = trained.network.output["masks"].shape[2:]
        found["masks"] = files.masks_of_parts(found["masks"], whole, boxes, *cells).output(0)
    labels = labels_of(trained)
    # All of them, but not as a constant: OpenVINO cannot keep constant strings.
    most = ops.multiply(ops.reduce_min(files.sides_of(image), [0], True), ops.constant(len(labels)))
    places = ops.minimum(ops.constant(np.arange(len(labels))[None]), most).output(0)
    return found | {"boxes": boxes.output(0), "labels": files.gather_texts(labels, places)}


def objects_in_image(found, region, own):
    """The outputs of the network for an image, with boxes in pixels of the image itself.

    A network of a fixed size sees what fills the image up too, and may find an object that reaches
    into that. Boxes end where the image does, and masks are those of what is left of their boxes.

    Args:
        found: Dict of the outputs: `boxes` float32 `[N, 4]`, in pixels of what the network got,
            maybe `masks` `[N, h, w]`, and others.
        region: Height and width of the image in that, int32 `[2]`.
        own: Height and width of the image itself, int32 `[2]`.

    Returns:
        Such a dict.
    """
    region, own = (
        tf.tile(tf.reverse(tf.cast(sides, tf.float32), [0]), [2]) for sides in (region, own)
    )
    whole = found["boxes"] * (own / region)
    boxes = tf.clip_by_value(whole, 0.0, own)
    if "masks" in found:
        found = found | {"masks": masks_of_parts(found["masks"], whole, boxes)}
    return found | {"boxes": boxes}


def masks_of_parts(masks, boxes, parts):
    """Masks of parts of boxes, of as many cells: bilinear between the middles of the boxes' cells.

    Args:
        masks: float32 `[N, h, w]`, of the boxes.
        boxes: float32 `[N, 4]`, `(x1, y1, x2, y2)`.
        parts: The same of a part of each.
    """
    rows, columns = (
        cell_weights(boxes[:, axis::2], parts[:, axis::2], masks.shape[2 - axis]) for axis in (1, 0)
    )
    return rows @ masks @ tf.linalg.matrix_transpose(columns)


def cell_weights(lines, parts, cells):
    """The weight of each cell of a line in each cell of a part of it, `[N, cells, cells]`.

    Args:
        lines: Begin and end, float32 `[N, 2]`. The whole line is the part of one without length.
        parts: The same of the parts.
        cells: Number of cells of a line, and of a part.
    """
    begin, length = lines[:, :1], lines[:, 1:] - lines[:, :1]
    inner = tf.where(length > 0.0, tf.math.divide_no_nan(parts - begin, length), [[0.0, 1.0]])
    middles = (tf.range(cells, dtype=tf.float32) + 0.5) / cells
    places = (inner[:, :1] + middles * (inner[:, 1:] - inner[:, :1])) * cells - 0.5
    places = tf.expand_dims(tf.clip_by_value(places, 0.0, cells - 1.0), -1)
    return tf.maximum(1.0 - abs(places - tf.range(cells, dtype=tf.float32)), 0.0)


def reference_answers(task, network, images, trained):
    """Outputs for whole images, objects as in `answer`, and `lowest`: dict of arrays `[N, …]`."""
    size, sides = network.input_shape[1], scaled_sides_of(trained.recipe)
    answers = []
    for image in images:
        given, region = given_image(image, size, sides)
        arrays = network.predict(given[None], verbose=0)
        one = {name: value[0] for name, value in arrays.items()}
        placed = objects_in_image(one, region, image.shape[:2])
        placed = {name: np.asarray(value)[None] for name, value in placed.items()}
        answers.append(placed | {LOWEST: lowest(network, arrays)})
    return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}


def compare_answers(answers, expected, trained):
    """Compares what `serve_bytes` gave, but for the labels, as `compare` does."""
    return compare({name: v for name, v in answers.items() if name != "labels"}, expected)


def objects_in(answer):
    """The labels of an answer, and its objects, best first.

    Returns:
        List of texts; and list of `(box, class, score, mask)`, where the mask is that of the box,
        probabilities `[h, w]`, or None.

    Raises:
        ValueError: If it is not what a detector answers.
    """
    labels, count = labels_in(answer), numbers(answer, "count", 0, "iu")
    boxes, scores = numbers(answer, "boxes", 2), numbers(answer, "scores", 1)
    classes = numbers(answer, "classes", 1, "iu")
    masks = numbers(answer, "masks", 3) if "masks" in answer else [None] * len(boxes)
    if boxes.shape[1] != 4 or not 0 <= count <= min(map(len, (boxes, scores, classes, masks))):
        raise ValueError(f"there must be {count} boxes of four sides, classes, scores and masks")
    if count and not 0 <= classes[:count].min() <= classes[:count].max() < len(labels):
        raise ValueError(f"a class must be below {len(labels)}, the number of labels")
    if "masks" in answer and not 1 <= min(masks.shape[1:]) <= max(masks.shape[1:]) <= LARGEST_MASK:
        raise ValueError(f"a mask must have 1 to {LARGEST_MASK} cells along a side")
    return labels, list(zip(boxes, classes, scores, masks, strict=False))[: int(count)]


def numbers(answer, name, rank, kinds="iuf"):
    """An array of an answer: finite numbers of a rank, of these kinds of NumPy's dtypes."""
    array = np.asarray(answer[name])
    if array.ndim != rank or array.dtype.kind not in kinds or not np.isfinite(array).all():
        raise ValueError(f"the {name} must be finite numbers, whole ones for count and classes")
    return array


def lines(answer):
    """An object a line, as `training/predict.py` prints it: score, class, left, top, width and
    height in pixels."""
    labels, objects = objects_in(answer)
    texts = [
        f"{score:7.2%}  {labels[label]}  {x1:.1f} {y1:.1f} {x2 - x1:.1f} {y2 - y1:.1f}"
        for (x1, y1, x2, y2), label, score, _ in objects
    ]
    return texts or ["no objects"]


def pictures(answer, file):
    """A PNG file: the objects whose score is at least `SHOWN`, drawn over the image."""
    labels, objects = objects_in(answer)
    image = decode_upright(file)
    sides = np.tile(image.shape[1::-1], 2)
    drawn = []
    for box, label, score, mask in objects:
        if (box < -OUTSIDE).any() or (box > sides + OUTSIDE).any() or (box[2:] < box[:2]).any():
            raise ValueError("a box must lie within its image, its right lower corner last")
        if mask is not None:  # pasted one by one: all together may be gigabytes
            mask = functools.partial(paste_mask, mask, box, *image.shape[:2])
        if score >= SHOWN:
            drawn.append((box, label, score, mask))
    return {"-objects.png": encode_picture(draw_objects(image, drawn, labels))}


def facts(trained):
    """The number of classes, what is detected, and how whole images are brought to a size."""
    layer = trained.network.get_layer(names.DETECTIONS)
    short, long = scaled_sides_of(trained.recipe)
    return {
        "classes": len(labels_of(trained)),
        "objects of an image, at most": layer.count,
        "score of an object, above": layer.score_threshold,
        "short side of whole images, at most": short,
        "long side of whole images, at most": long,
    }


TASK = Task(
    check=check,
    batch=1,  # a server joins no images of different sizes, and these are large
    any_size=True,
    pixels=WHOLE_PIXELS,
    reference=reference,
    compare=compare,
    bounds=BOUNDS,
    higher_is_better=("matched",),
    formats={
        "objects": "d",
        "matched": ".2%",
        **dict.fromkeys(("box", "score", "mask", "error"), ".1e"),
    },
    answer=answer,
    file_answer=file_answer,
    reference_answers=reference_answers,
    compare_answers=compare_answers,
    lines=lines,
    pictures=pictures,
    facts=facts,
    files=label_files,
    page=label_page,
)
