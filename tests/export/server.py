"""A server that speaks TF Serving's protocols over a SavedModel, for the tests of the client."""

import base64
import collections
import concurrent.futures
import contextlib
import http.server
import io
import json
import threading

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.export.plug_in import compile_model

STATES = get_model_status_pb2.ModelVersionStatus.State


class Model:
    """The model behind both servers, and how it behaves.

    Attributes:
        loading: Answers to questions for the state that still say that it is loading.
        unavailable: Predictions that still fail as on a server that is overloaded.
        calls: Number of predictions asked for.
    """

    def __init__(self, folder, name="digits"):
        self.signatures = self.load(folder)
        self.name = name
        self.loading = self.unavailable = self.calls = 0

    def load(self, folder):
        return tf.saved_model.load(str(folder)).signatures

    def state(self):
        if self.loading:
            self.loading -= 1
            return "LOADING"
        return "AVAILABLE"

    def overloaded(self):
        self.calls += 1
        if self.unavailable:
            self.unavailable -= 1
            return True
        return False


class FilesModel(Model):
    """An OpenVINO model of files, behind OpenVINO Model Server as its documentation has it: one
    image a request, decoded blue first, whatever the signature is called."""

    def load(self, folder):
        hint = {"INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = compile_model(folder / "model.xml", hint)
        return collections.defaultdict(lambda: self.answer)

    def answer(self, image_bytes):
        try:
            (content,) = image_bytes.numpy()
            image = np.asarray(Image.open(io.BytesIO(content)), "float32")
        except (ValueError, OSError) as error:
            raise tf.errors.InvalidArgumentError(None, None, str(error)) from error
        image = image if image.ndim == 3 else image[:, :, None]
        channels = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[image.shape[2]]  # as OpenCV has them
        answers = self.compiled(image[None, :, :, channels])
        return {output.any_name: tf.constant(value) for output, value in answers.items()}


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self.model = model

    def Predict(self, request, context):  # noqa: N802
        if self.model.overloaded():
            context.abort(grpc.StatusCode.UNAVAILABLE, "overloaded")
        function = self.model.signatures[request.model_spec.signature_name]
        inputs = {key: tf.constant(tf.make_ndarray(t)) for key, t in request.inputs.items()}
        try:
            outputs = function(**inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse()
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


class Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, model):
        self.model = model

    def GetModelStatus(self, request, context):  # noqa: N802
        if request.model_spec.name != self.model.name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.model_spec.name} not found")
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=1, state=STATES.Value(self.model.state()))
        return response


@contextlib.contextmanager
def grpc_server(model):
    """Serves a model by gRPC; gives `HOST:PORT`."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(model), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(model), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None)


@contextlib.contextmanager
def rest_server(model):
    """Serves a model by REST; gives `HOST:PORT`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != f"/v1/models/{model.name}":
                return self.answer(404, {"error": f"no model at {self.path}"})
            return self.answer(200, {"model_version_status": [{"state": model.state()}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if model.overloaded():
                return self.answer(503, {"error": "overloaded"})
            assert self.path == f"/v1/models/{model.name}:predict"
            images = [base64.b64decode(one["image_bytes"]["b64"]) for one in body["instances"]]
            function = model.signatures[body["signature_name"]]
            try:
                outputs = function(image_bytes=tf.constant(images))
            except tf.errors.InvalidArgumentError as error:
                return self.answer(400, {"error": error.message})
            columns = {name: as_json(name, value.numpy()) for name, value in outputs.items()}
            predictions = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            if len(columns) == 1:  # TF Serving leaves out the name
                predictions = list(*columns.values())
            return self.answer(200, {"predictions": predictions})

        def answer(self, status, content):
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"localhost:{server.server_port}"
    server.shutdown()


def as_json(name, array):
    """Nested lists of an array: strings as text, or in base 64 if its name ends in `_bytes`."""

    def in_base_64(content):
        return {"b64": base64.b64encode(content).decode()}

    if array.dtype == object:
        form = in_base_64 if name.endswith("_bytes") else bytes.decode
        array = np.vectorize(form, otypes=[object])(array)
    return array.tolist()
