"""Exported files, loaded again: functions of a number of images.

Needs neither Keras nor this project's networks.
"""

import functools
import os
import pathlib

import numpy as np

from export.verification.running import open_lite, openvino_hints

SIZE = 224


def images_of(batch, size=SIZE):
    """Random images, float32 in 0..255."""
    return np.random.default_rng(0).uniform(0, 255, (batch, size, size, 3)).astype("float32")


def saved_model(folder):
    """Runs `serving_default` of a SavedModel."""
    import tensorflow as tf

    model = tf.saved_model.load(folder)
    serve = model.signatures["serving_default"]
    size = serve.structured_input_signature[1]["images"].shape[1]
    inputs = functools.cache(lambda batch: tf.constant(images_of(batch, size)))

    def run(batch):
        return serve(images=inputs(batch))["logits"].numpy()

    return run


def lite(*files):
    """Runs LiteRT files, each for a batch of its own, on as many threads as there are cores."""
    runs = {}
    for file in files:
        interpreter = open_lite(file, len(os.sched_getaffinity(0)))
        entry = interpreter.get_input_details()[0]
        interpreter.set_tensor(entry["index"], images_of(*entry["shape"][:2]))
        runs[entry["shape"][0]] = interpreter.invoke
    return lambda batch: runs[batch]()


def openvino(folder):
    """Runs OpenVINO models of fixed batches, `folder/BATCH/model.xml`, on all cores."""
    from openvino import Core

    core, threads = Core(), {"INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0))}

    @functools.cache
    def compiled(batch):
        model = core.read_model(pathlib.Path(folder, str(batch), "model.xml"))
        size = model.input().partial_shape[1].get_length()
        request = core.compile_model(model, "CPU", openvino_hints(model) | threads)
        return request.create_infer_request(), images_of(batch, size)

    def run(batch):
        request, images = compiled(batch)
        return request.infer([images])["logits"]

    return run
