"""Shared by the tests of export: a trained network, its SavedModel, images."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

from export import tflite
from export.serving.clients import GrpcClient, RestClient
from tests.export.detectors import make_detector, make_detector_run
from tests.export.segmenters import make_segmenter, make_segmenter_run
from tests.export.server import Model, grpc_server, rest_server


@pytest.fixture(scope="session")
def run(make_run):
    """Folder of a run on digits."""
    return make_run(1)[0]


@pytest.fixture(scope="session")
def network(run):
    return keras.saving.load_model(run / "model.keras", compile=False)


@pytest.fixture(scope="session")
def exported(program, run, once):
    """Version 1 of the digits network, and the finished program that exported it."""

    def export(models):
        done = program("export/saved_model.py", run, "--out", models / "digits", "--max-batch", 6)
        assert done.returncode == 0, done.stderr
        return models / "digits" / "1", done

    return once("models", export)


@pytest.fixture(scope="session")
def digit_files(tmp_path_factory):
    """PNG files of 64 digits, in a folder."""
    folder = tmp_path_factory.mktemp("digits")
    for index, image in enumerate(load_digits().images[-64:]):
        Image.fromarray((image * 15.9375).astype("uint8")).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture(scope="session")
def images():
    """16 random images for the digits network."""
    return np.random.default_rng(0).uniform(0, 255, (16, 32, 32, 3)).astype("float32")


@pytest.fixture(scope="session")
def trained_run(program, data_dir, tmp_path_factory):
    """Folder of a run on digits that was trained as the recipe has it: takes minutes."""
    folder = tmp_path_factory.mktemp("trained") / "digits"
    done = program("training/fit.py", "--data-dir", data_dir, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def loaded(exported):
    """Signatures of the exported network."""
    return tf.saved_model.load(str(exported[0])).signatures


@pytest.fixture(scope="session")
def make_file(run, once):
    """Makes a LiteRT file of a precision, once."""

    def export(precision, flags, folder):
        path = folder / "model.tflite"
        tflite.main([str(run), "--precision", precision, "--out", str(path), *flags])
        return path

    def make(precision, *flags):
        name = "-".join(["lite", precision, *flags])
        return once(name, functools.partial(export, precision, flags))

    return make


PROTOCOLS = {"grpc": (grpc_server, GrpcClient), "rest": (rest_server, RestClient)}


@pytest.fixture(scope="session")
def model(exported):
    """The exported network behind a server."""
    return Model(exported[0])


@pytest.fixture(params=PROTOCOLS)
def served(request, model):
    """Protocol, address and client of the served model."""
    serve, make = PROTOCOLS[request.param]
    model.loading = model.unavailable = model.calls = 0
    with serve(model) as host:
        yield request.param, host, make(host, "digits", 10.0)


@pytest.fixture(scope="session")
def segmenter():
    """A segmenter of images of any size."""
    return make_segmenter()


@pytest.fixture(scope="session")
def segmenter_run(segmenter, tmp_path_factory):
    """Folder of a run of the segmenter."""
    return make_segmenter_run(tmp_path_factory.mktemp("segmenter"), segmenter)


@pytest.fixture(scope="session")
def detector():
    """A detector of images of any size."""
    return make_detector()


@pytest.fixture(scope="session")
def detector_run(detector, tmp_path_factory):
    """Folder of a run of the detector."""
    return make_detector_run(tmp_path_factory.mktemp("detector"), detector)
