"""OpenVINO models of image files, which OpenVINO Model Server decodes."""

import numpy as np
import openvino
from openvino import opset15 as ops

from common.preparation import crop_fraction_of
from export.verification.running import FILES_INPUT, OPENVINO_PRECISION, OPENVINO_SIZE

LONGEST = 4  # times the short side of an image: the rest of its length is cut off


def serve_files(model, task, trained):
    """Makes a model of a decoded file from one of prepared images.

    OpenVINO Model Server decodes a JPEG or PNG file where a model takes maps of any size, channels
    last, and gives it blue first: its documentation, "Support for Binary Encoded Image Input Data".

    Args:
        model: An `openvino.Model` of one image, float32 `[1, S, S, 3]`, to the outputs of the
            task's `serving_default`.
        task: A `Task` that has `file_answer`.
        trained: The `Trained`.

    Returns:
        An `openvino.Model` of float32 `[1, H, W, C]`, values in 0..255, to what the signature
        `serve_bytes` gives.
    """
    size = model.input().partial_shape[1].get_length()
    pixels = ops.parameter([1, -1, -1, -1], np.float32, name=FILES_INPUT)
    pixels.output(0).set_names({FILES_INPUT})
    served = model.clone()
    (images,) = served.get_parameters()
    images.output(0).replace(prepare(pixels, size, crop_fraction_of(trained.recipe)).output(0))
    outputs = {result.output(0).any_name: result.input_value(0) for result in served.get_results()}
    results = []
    for name, output in task.file_answer(outputs, trained).items():
        output.set_names({name})
        results.append(ops.result(output))
    answering = openvino.Model(results, [pixels], model.get_friendly_name())
    answering.set_rt_info(model.get_rt_info(OPENVINO_PRECISION).astype(str), OPENVINO_PRECISION)
    answering.set_rt_info(size, OPENVINO_SIZE)
    return answering


def prepare(pixels, size, crop_fraction):
    """What `common.preparation.evaluation_image` does, for a file that need not be turned.

    Of an image that is more than four times as long as wide, the ends are cut off first: scaled,
    they could take gigabytes, and the crop does not show them.

    Args:
        pixels: float32 `[1, H, W, channels]`: gray, or blue first, then green, red, and perhaps
            transparency, which is left out.
        size, crop_fraction: As there.

    Returns:
        float32 `[1, size, size, 3]`, red first.
    """
    shape = ops.shape_of(pixels)
    last = ops.subtract(ops.slice(shape, [3], [4], [1], [0]), ops.constant(1))
    image = ops.gather(pixels, ops.minimum(ops.constant([2, 1, 0]), last), ops.constant(3))

    sides = ops.slice(shape, [1], [3], [1], [0])
    longest = ops.multiply(ops.reduce_min(sides, [0], True), ops.constant(LONGEST))
    cut = ops.divide(ops.maximum(ops.subtract(sides, longest), ops.constant(0)), ops.constant(2))
    image = ops.slice(image, cut, ops.subtract(sides, cut), [1, 1], [1, 2])

    short = np.float64(round(size / crop_fraction))
    sides = ops.convert(ops.slice(ops.shape_of(image), [1], [3], [1], [0]), "f64")
    ratio = ops.divide(ops.multiply(sides, ops.constant(short)), ops.reduce_min(sides, [0], True))
    scaled = ops.maximum(ops.round(ratio, "half_to_even"), ops.constant(short))
    scaled = ops.convert(scaled, "i64")
    image = ops.interpolate(image, scaled, "bilinear_pillow", "sizes", axes=[1, 2])
    begin = ops.divide(ops.subtract(scaled, ops.constant(size)), ops.constant(2))
    crop = ops.slice(image, begin, ops.add(begin, ops.constant(size)), [1, 1], [1, 2])
    # From here, all shapes are known again: the network keeps its fast kernels.
    return ops.reshape(crop, [1, size, size, 3], False)


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
