"""LiteRT models in eight bits."""

import contextlib
import io
import re
import warnings

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils
from litert_quantizer import Quantizer
from litert_quantizer.algorithm_manager import AlgorithmName
from litert_quantizer.calibrator import Calibrator
from litert_quantizer.qtyping import TFLOperationName
from litert_quantizer.recipe_manager import RecipeManager
from litert_quantizer.utils import qsv_utils

from export.litert.layer_errors import layer_errors
from export.verification.comparison import missed_bounds
from export.verification.running import THREADS, lite_outputs, open_lite

# LiteRT warns that keeping all tensors takes memory. Calibration needs them.
warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")

# These operations hold the weights, and XNNPACK computes them in eight bits. Depth-wise
# convolutions have few weights: converting their inputs takes longer than eight bits save.
QUANTIZED = (TFLOperationName.FULLY_CONNECTED, TFLOperationName.CONV_2D)

QUIET = {"enable_progress_bar": False, "enable_progress_report": False}
SIGNATURE, ARGUMENT = "serving_default", "images"


def quantize_dynamic(model):
    """Stores weights in eight bits, one scale a channel; what they meet is quantized as it comes.

    Args:
        model: Bytes of a model in float32.

    Returns:
        Bytes.
    """
    quantizer = Quantizer(bytearray(model))
    for operation in QUANTIZED:
        quantizer.add_dynamic_config(".*", operation, num_bits=8)
    return bytes(quantizer.quantize(**QUIET).quantized_model)


def quantize_static(model, images, task):
    """Computes point-wise layers and merging convolutions in eight bits, with fixed scales.

    All of them, if the result keeps the bounds of the task on the images. Otherwise
    those with the largest errors stay in float32, ever more of them, until it does.

    Args:
        model: Bytes of a model in float32.
        images: float32 `[N, S, S, 3]` to calibrate with.
        task: The `Task` whose outputs the model has.

    Returns:
        Bytes, and a report: for each layer its error and whether it stayed in float32, and the
        figures of each attempt.
    """
    expected = lite_outputs(open_lite(model), images)
    calibration = calibrate(model, images)
    quantized = apply_static(model, calibration, in_float=())
    errors = layer_errors(model, quantized, images)
    names = sorted(errors, key=errors.get, reverse=True)
    kept, attempts = 0, []
    while True:
        figures = task.compare(lite_outputs(open_lite(quantized), images), expected)
        attempts.append({"layers_in_float": kept, **figures})
        if kept == len(names) or not missed_bounds(figures, task, "int8"):
            break
        kept = min(len(names), 2 * kept or 1)
        quantized = apply_static(model, calibration, in_float=names[:kept])
    layers = [
        {"layer": name, "error": errors[name], "float": name in names[:kept]} for name in names
    ]
    return quantized, {"images": len(images), "attempts": attempts, "layers": layers}


def calibrate(model, images):
    """Ranges of all tensors on the images.

    The widest on any image. `Quantizer.calibrate` averages over images, and clips half of them.
    """
    batch = int(open_lite(model).get_input_details()[0]["shape"][0])
    filled = np.resize(images, (-(-len(images) // batch) * batch, *images.shape[1:]))
    samples = [{ARGUMENT: part} for part in np.split(filled, len(filled) // batch)]
    calibrator = Calibrator(bytearray(model), THREADS, qsv_update_func=qsv_utils.min_max_update)
    recipe = RecipeManager()
    recipe.load_quantization_recipe(static_quantizer(model, ()).get_quantization_recipe())
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar cannot be switched off
        calibrator.calibrate({SIGNATURE: samples}, recipe)
    return calibrator.get_model_qsvs()


def apply_static(model, calibration, in_float):
    quantized = static_quantizer(model, in_float).quantize(calibration, **QUIET).quantized_model
    return with_outputs_of(model, quantized)


def with_outputs_of(model, quantized):
    """Puts right the outputs of the signature of a quantized model.

    litert-quantizer 0.11 forgets them where an output is also the input of another operation, as
    the logits are: the graph gives the dequantized tensor, and the signature the eight bits.
    """
    before, after = (
        flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        for content in (model, quantized)
    )
    places = {index: place for place, index in enumerate(before.subgraphs[0].outputs)}
    pairs = zip(before.signatureDefs[0].outputs, after.signatureDefs[0].outputs, strict=True)
    for old, new in pairs:
        new.tensorIndex = after.subgraphs[0].outputs[places[old.tensorIndex]]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(after))


def static_quantizer(model, in_float):
    """A quantizer of all `QUANTIZED` operations but those whose output is named in `in_float`."""
    quantizer = Quantizer(bytearray(model))
    for operation in QUANTIZED:
        quantizer.add_static_config(".*", operation, activation_num_bits=8, weight_num_bits=8)
    for name in in_float:  # the scope of an operation is the names of its outputs, each with a ;
        for operation in QUANTIZED:
            quantizer.update_quantization_recipe(
                f"^{re.escape(name)};?$", operation, algorithm_key=AlgorithmName.NO_QUANTIZE
            )
    return quantizer
