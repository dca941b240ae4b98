"""OpenVINO models of image files, which OpenVINO Model Server decodes."""

import numpy as np
import openvino
from openvino import opset15 as ops

from export.verification.running import FILES_INPUT, OPENVINO_PRECISION, OPENVINO_SIZE
from pale_tf.backbone import IMAGE_MEAN

LONGEST = 4  # times the short side of an image: the rest of its length is cut off


def serve_files(model, task, trained):
    """Makes a model of a decoded file from one of prepared images.

    OpenVINO Model Server decodes a JPEG or PNG file where a model takes maps of any size, channels
    last, and gives it blue first: its documentation, "Support for Binary Encoded Image Input Data".

    Args:
        model: An `openvino.Model` of one image, float32 `[1, S, S, 3]` or of any size, to the
            outputs of the task's `serving_default`.
        task: A `Task` that has `file_answer`.
        trained: The `Trained`.

    Returns:
        An `openvino.Model` of float32 `[1, H, W, C]`, values in 0..255, to what the signature
        `serve_bytes` gives. A file is gray, or blue first, then green, red, and perhaps
        transparency, which is left out.
    """
    side = model.input().partial_shape[1]
    size = None if side.is_dynamic else side.get_length()
    pixels = ops.parameter([1, -1, -1, -1], np.float32, name=FILES_INPUT)
    pixels.output(0).set_names({FILES_INPUT})

    def run(images):
        served = model.clone()
        (parameter,) = served.get_parameters()
        parameter.output(0).replace(images.output(0))
        return {result.output(0).any_name: result.input_value(0) for result in served.get_results()}

    results = []
    for name, output in task.file_answer(red_first(pixels), run, size, trained).items():
        output.set_names({name})
        results.append(ops.result(output))
    answering = openvino.Model(results, [pixels], model.get_friendly_name())
    answering.set_rt_info(model.get_rt_info(OPENVINO_PRECISION).astype(str), OPENVINO_PRECISION)
    if size is not None:
        answering.set_rt_info(size, OPENVINO_SIZE)
    return answering


def red_first(pixels):
    """Pixels as OpenCV decodes them, float32 `[1, H, W, C]`, as red, green and blue."""
    last = ops.subtract(ops.slice(ops.shape_of(pixels), [3], [4], [1], [0]), ops.constant(1))
    return ops.gather(pixels, ops.minimum(ops.constant([2, 1, 0]), last), ops.constant(3))


def sides_of(image, kind="i64"):
    """Height and width of `[1, H, W, C]`, `[2]` of a kind of number."""
    return ops.convert(ops.slice(ops.shape_of(image), [1], [3], [1], [0]), kind)


def scaled(image, sides):
    """An image in another size, float64 `[2]`, with antialiasing as `tf.image.resize` has it."""
    return ops.interpolate(
        image, ops.convert(sides, "i64"), "bilinear_pillow", "sizes", axes=[1, 2]
    )


def evaluation_image(image, size, crop_fraction):
    """As `common.preparation.evaluation_image`.

    Of an image that is more than four times as long as wide, the ends are cut off first: scaled,
    they could take gigabytes, and the crop does not show them.

    Args:
        image: float32 `[1, H, W, 3]`.
        size, crop_fraction: As there.

    Returns:
        float32 `[1, size, size, 3]`.
    """
    sides = sides_of(image)
    longest = ops.multiply(ops.reduce_min(sides, [0], True), ops.constant(LONGEST))
    cut = ops.divide(ops.maximum(ops.subtract(sides, longest), ops.constant(0)), ops.constant(2))
    image = ops.slice(image, cut, ops.subtract(sides, cut), [1, 1], [1, 2])

    short, sides = np.float64(round(size / crop_fraction)), sides_of(image, "f64")
    ratio = ops.divide(ops.multiply(sides, ops.constant(short)), ops.reduce_min(sides, [0], True))
    whole = ops.maximum(ops.round(ratio, "half_to_even"), ops.constant(short))
    margin = ops.subtract(ops.convert(whole, "i64"), ops.constant(size))
    begin = ops.divide(margin, ops.constant(2))
    end = ops.add(begin, ops.constant(size))
    crop = ops.slice(scaled(image, whole), begin, end, [1, 1], [1, 2])
    # From here, all shapes are known again: the network keeps its fast kernels.
    return ops.reshape(crop, [1, size, size, 3], False)


def scaled_image(image, short_side, long_side):
    """As `common.preparation.scaled_image`: `[1, H, W, 3] -> [1, h, w, 3]`."""
    sides = sides_of(image, "f64")
    by_short, by_long = (
        ops.divide(ops.multiply(sides, ops.constant(np.float64(side))), own)
        for side, own in (
            (short_side, ops.reduce_min(sides, [0], True)),
            (long_side, ops.reduce_max(sides, [0], True)),
        )
    )
    return scaled(image, _at_least_1(ops.minimum(by_short, by_long)))


def fitted_image(image, size):
    """As `common.preparation.fitted_image`.

    Returns:
        `[1, size, size, 3]`, and how much of that the image is, `[1, h, w, 3]`.
    """
    sides = sides_of(image, "f64")
    ratio = ops.multiply(sides, ops.constant(np.float64(size)))
    part = scaled(image, _at_least_1(ops.divide(ratio, ops.reduce_max(sides, [0], True))))
    mean = ops.constant(np.float32(IMAGE_MEAN))
    margin = ops.subtract(ops.constant([1, size, size, 3]), ops.shape_of(part))
    filled = ops.pad(
        ops.subtract(part, mean),
        ops.constant([0, 0, 0, 0]),
        margin,
        "constant",
        ops.constant(np.float32(0)),
    )
    return ops.reshape(ops.add(filled, mean), [1, size, size, 3], False), part


def _at_least_1(sides):
    return ops.maximum(ops.round(sides, "half_to_even"), ops.constant(np.float64(1)))


def masks_of_parts(masks, boxes, parts, height, width):
    """As `export.tasks.detect.masks_of_parts`, of `[1, N, height, width]` and `[1, N, 4]`."""
    rows, columns = (
        _cell_weights(*(_entries(x, ends) for x in (boxes, parts)), cells)
        for ends, cells in (([1, 3], height), ([0, 2], width))
    )
    return ops.matmul(ops.matmul(rows, masks, False, False), columns, False, True)


def _cell_weights(lines, parts, cells):
    """As `export.tasks.detect.cell_weights`, of `[1, N, 2]`."""
    zero, one = (ops.constant(np.float32(value)) for value in (0, 1))
    begin, end = (_entries(lines, [place]) for place in (0, 1))
    length = ops.subtract(end, begin)
    has_length = ops.greater(length, zero)
    inner = ops.divide(ops.subtract(parts, begin), ops.select(has_length, length, one))
    inner = ops.select(has_length, inner, ops.constant(np.float32([0, 1])))
    first, last = (_entries(inner, [place]) for place in (0, 1))
    middles = ops.constant(((np.arange(cells) + 0.5) / cells).astype("float32"))
    places = ops.add(first, ops.multiply(middles, ops.subtract(last, first)))
    places = ops.subtract(
        ops.multiply(places, ops.constant(np.float32(cells))), ops.constant(np.float32(0.5))
    )
    places = ops.unsqueeze(ops.clamp(places, 0.0, cells - 1.0), ops.constant(-1))
    distance = ops.abs(ops.subtract(places, ops.constant(np.arange(cells, dtype="float32"))))
    return ops.maximum(ops.subtract(one, distance), zero)


def _entries(x, places):
    """Entries of the last axis of `[1, N, D]`."""
    return ops.gather(x, ops.constant(places), ops.constant(2))


def gather_texts(texts, indices):
    """Texts by their indices.

    Args:
        texts: List.
        indices: Output of an OpenVINO node, integers of any shape that is known.

    Returns:
        Output of a node, strings of that shape.
    """
    encoded = [text.encode() for text in texts]
    lengths = np.array(list(map(len, encoded)), "int32")
    width = max(*lengths, 1)
    rows = np.frombuffer(b"".join(text.ljust(width) for text in encoded), "uint8")
    # Strings are packed in the order of their characters, or OpenVINO may refuse them. So the
    # characters are gathered too, in places of one width.
    chosen = ops.gather(ops.constant(rows.reshape(-1, width)), indices, ops.constant(0))
    shape = list(indices.get_shape())
    begins = np.arange(0, width * np.prod(shape), width, dtype="int32").reshape(shape)
    ends = ops.add(
        ops.constant(begins), ops.gather(ops.constant(lengths), indices, ops.constant(0))
    )
    return ops.string_tensor_pack(
        ops.constant(begins), ends, ops.reshape(chosen, [-1], False)
    ).output(0)
