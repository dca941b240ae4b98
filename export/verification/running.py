"""Artifacts, run on images.

Nothing of this project is imported here, nor Keras: `reload.py` runs this file where neither is.
"""

import collections
import pathlib
import statistics
import time

import numpy as np

REPETITIONS = 10
THREADS = 2


def run(artifact, images):
    """Runs all signatures of an artifact.

    Args:
        artifact: Path of a SavedModel's folder or of a LiteRT file.
        images: float32 `[N, S, S, 3]`, whole numbers in 0..255; signatures of strings get them as
            PNG files, see `cut`.

    Returns:
        Dict of arrays, named `SIGNATURE/OUTPUT`; and by signature a report: the median latency of
        one batch in `milliseconds`, `operations` and so on.
    """
    return (run_lite if pathlib.Path(artifact).is_file() else run_saved_model)(artifact, images)


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
    filled = np.concatenate([images, np.repeat(images[-1:], -len(images) % batch, axis=0)])
    results = [runner(**{argument: part}) for part in np.split(filled, len(filled) // batch)]
    return {
        key: np.concatenate([result[key] for result in results])[: len(images)]
        for key in results[0]
    }


def latency(call):
    """Median of the milliseconds that a call takes, after one to warm up."""
    call()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
