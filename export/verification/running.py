"""Artifacts, run on images.

Nothing of this project is imported here, nor Keras: `reload.py` runs this file where neither is.
"""

import collections
import pathlib
import statistics
import time

import numpy as np

SAVED_MODEL_FILE = "saved_model.pb"  # in the folder of a SavedModel
OPENVINO_FILE = "model.xml"  # in the folder of an OpenVINO model
OPENVINO_PRECISIONS = ("float32", "float16", "bfloat16", "int8")
OPENVINO_PRECISION = ["pale_tf", "precision"]  # where it says for which precision it was made
OPENVINO_SIZE = ["pale_tf", "size"]  # where a model of files says the size of the network's images
FILES_INPUT = "image_bytes"  # the input of models of files, which their server decodes
REPETITIONS = 10
THREADS = 2


def run(artifact, images):
    """Runs all signatures of an artifact.

    Args:
        artifact: Path of the folder of a SavedModel or of an OpenVINO model, or of a LiteRT file.
        images: float32 `[N, S, S, 3]`, whole numbers in 0..255; signatures of strings get them as
            PNG files, see `cut`.

    Returns:
        Dict of arrays, named `SIGNATURE/OUTPUT`; and by signature a report: the median latency of
        one batch in `milliseconds`, `operations` and so on.
    """
    path = pathlib.Path(artifact)
    if path.is_file():
        return run_lite(artifact, images)
    file = path / OPENVINO_FILE
    return run_openvino(file, images) if file.is_file() else run_saved_model(artifact, images)


def run_saved_model(folder, images):
    """Runs the signatures of a SavedModel, see `run`."""
    import tensorflow as tf

    model = tf.saved_model.load(folder)
    files = [tf.io.encode_png(image).numpy() for image in cut(images.astype("uint8"))]
    outputs, report = {}, {}
    for name, function in model.signatures.items():
        (spec,) = function.structured_input_signature[1].values()
        given = tf.constant(files if spec.dtype == tf.string else images)
        results = function(**{spec.name: given})
        outputs |= {f"{name}/{key}": plain(value.numpy()) for key, value in results.items()}
        one = {spec.name: given[:1]}
        report[name] = {
            "milliseconds": latency(lambda function=function, one=one: function(**one)),
            "operations": count_operations(function),
        }
    return outputs, report


def cut(images):
    """Images of several sizes: all but the last `i % 8` rows and `3i % 8` columns of the i-th."""
    height, width = images.shape[1:3]
    return [
        image[: max(1, height - i % 8), : max(1, width - 3 * i % 8)]
        for i, image in enumerate(images)
    ]


def plain(array):
    """Strings as bytes of one length, which a file takes without pickling."""
    if array.dtype.kind == "U":
        return np.char.encode(array, "utf-8")
    return array.astype("S") if array.dtype == object else array


def count_operations(function):
    """Operations of a concrete function and of all the functions that it calls."""
    graph = function.graph.as_graph_def()
    nodes = [graph.node, *(definition.node_def for definition in graph.library.function)]
    return sum(map(len, nodes))


def run_lite(file, images):
    """Runs a LiteRT file, see `run`; reports also `batch`, delegate `partitions` and `kinds`."""
    interpreter = open_lite(file)
    outputs = lite_outputs(interpreter, images)
    (name,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(name)
    ((argument, details),) = runner.get_input_details().items()
    one = {argument: np.resize(images, details["shape"])}
    kinds = collections.Counter(
        operation["op_name"] for operation in interpreter._get_ops_details()
    )
    report = {
        "milliseconds": latency(lambda: runner(**one)),
        "batch": int(details["shape"][0]),
        "partitions": kinds.pop("DELEGATE", 0),
        "operations": sum(kinds.values()),
        "kinds": dict(kinds.most_common()),
    }
    return {f"{name}/{key}": value for key, value in outputs.items()}, {name: report}


def open_lite(model, threads=THREADS):
    """An interpreter of a LiteRT model, a path or bytes, with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    given = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    interpreter = Interpreter(**given, num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def lite_outputs(interpreter, images):
    """Outputs of an interpreter by name, arrays `[N, …]`; the last batch is filled up."""
    (name,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(name)
    ((argument, details),) = runner.get_input_details().items()
    batch = details["shape"][0]
    return in_batches(lambda part: runner(**{argument: part}), images, batch)


def in_batches(call, images, batch):
    """Results of a function of `batch` images for any number, by name; the last batch is filled
    up."""
    filled = np.concatenate([images, np.repeat(images[-1:], -len(images) % batch, axis=0)])
    results = [call(part) for part in np.split(filled, len(filled) // batch)]
    return {
        key: np.concatenate([result[key] for result in results])[: len(images)]
        for key in results[0]
    }


def run_openvino(file, images):
    """Runs an OpenVINO model, see `run`."""
    import openvino

    core = openvino.Core()
    model = core.read_model(file)
    threads = {"INFERENCE_NUM_THREADS": THREADS}
    compiled = core.compile_model(model, "CPU", openvino_hints(model) | threads)
    request = compiled.create_infer_request()

    def infer(part):
        answers = request.infer([part])
        return {output.any_name: value.copy() for output, value in answers.items()}

    if model.input().any_name == FILES_INPUT:
        name, timed = "serve_bytes", images[:1]
        answers = [infer(as_decoded(image)) for image in cut(images)]
        results = {key: np.concatenate([a[key] for a in answers]) for key in answers[0]}
    else:
        batch = model.input().partial_shape[0]
        size = None if batch.is_dynamic else batch.get_length()
        name, timed = "serving_default", np.repeat(images[:1], size or 1, axis=0)
        results = in_batches(infer, images, size or len(images))
    report = {
        "milliseconds": latency(lambda: request.infer([timed])),
        "operations": len(compiled.get_runtime_model().get_ops()),
    }
    return {f"{name}/{key}": plain(value) for key, value in results.items()}, {name: report}


def as_decoded(image):
    """An image as OpenVINO Model Server decodes a file: a batch of one, blue first."""
    return np.ascontiguousarray(image[None, :, :, ::-1])


def openvino_hints(model):
    """Settings of OpenVINO for a model of this project: the precision that it computes in.

    Without them, a CPU that has bfloat16 computes all models in it.
    """
    precision = model.get_rt_info(OPENVINO_PRECISION).astype(str)
    return {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32"}


def openvino_reason(error):
    """The reason in an error of OpenVINO: its last line."""
    return str(error).strip().splitlines()[-1].strip()


def latency(call):
    """Median of the milliseconds that a call takes, after one to warm up."""
    call()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
