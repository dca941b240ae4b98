"""Clients of TF Serving, and of servers that speak like it, by gRPC and by REST, for the signature
`serve_bytes`."""

import base64
import contextlib
import json
import queue
import threading
import time

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from common.cli import printable
from common.errors import ProgramError

SIGNATURE, INPUT = "serve_bytes", "image_bytes"
ATTEMPTS = 4
BACKOFF = 0.2  # seconds before the second attempt, doubled before each further one
MAX_ANSWER = 2**26  # bytes
LONGEST_LINE = 1000  # characters
BUSY = (429, 502, 503, 504)  # HTTP
AVAILABLE = get_model_status_pb2.ModelVersionStatus.State.AVAILABLE


class ServerError(ProgramError):
    """The server does not answer in time, or does not have the model."""

    exit_code = 3


class RefusedError(ProgramError):
    """The server takes the images for invalid."""

    exit_code = 5


class GrpcClient:
    """A client by gRPC.

    Args:
        host: `HOST:PORT`.
        model: Name of the served model.
        deadline: Seconds for a request with all its retries.
    """

    def __init__(self, host, model, deadline):
        retries = {
            "maxAttempts": ATTEMPTS,
            "initialBackoff": f"{BACKOFF}s",
            "maxBackoff": f"{deadline}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
        }
        service = {"service": "tensorflow.serving.PredictionService"}
        config = {"methodConfig": [{"name": [service], "retryPolicy": retries}]}
        options = {
            "grpc.service_config": json.dumps(config),
            "grpc.max_send_message_length": -1,  # the default of 4 MB is one photograph
            "grpc.max_receive_message_length": MAX_ANSWER,
        }
        channel = grpc.insecure_channel(host, options=list(options.items()))
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)
        self.host, self.model, self.deadline = host, model, deadline

    def problem(self, seconds):
        """None if the model is ready; otherwise a `ServerError` that says why it is not.

        Args:
            seconds: How long to wait for the answer.
        """
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self.model
        try:
            status = self.models.GetModelStatus(request, timeout=seconds)
        except grpc.RpcError as error:
            return ServerError(_line(self.host, error.code().name, error.details()))
        if any(version.state == AVAILABLE for version in status.model_version_status):
            return None
        return ServerError(f"{self.host}: no version of {self.model} is available yet")

    def predict(self, images):
        """Asks about encoded images.

        Args:
            images: JPEG or PNG files, a list of bytes.

        Returns:
            For each image a dict of arrays, what the signature gives for it.

        Raises:
            RefusedError: If one of them is invalid.
            ServerError: If there is no answer.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = SIGNATURE
        request.inputs[INPUT].CopyFrom(tf.make_tensor_proto(images, tf.string))
        try:
            outputs = self.predictions.Predict(request, timeout=self.deadline).outputs
        except grpc.RpcError as error:
            kind = ServerError
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                kind = RefusedError
            raise kind(_line(self.host, error.code().name, error.details())) from error
        with _checked(self.host):
            arrays = {name: tf.make_ndarray(tensor) for name, tensor in outputs.items()}
            rows = {len(array) for array in arrays.values()}
            if rows != {len(images)}:
                raise ValueError(f"{sorted(rows)} rows for {len(images)} images")
            return [
                {name: array[place] for name, array in arrays.items()}
                for place in range(len(images))
            ]


class RestClient:
    """A client by REST; the same arguments and methods as `GrpcClient`."""

    def __init__(self, host, model, deadline):
        self.session = requests.Session()
        self.host, self.model, self.deadline = host, model, deadline
        self.url = f"http://{host}/v1/models/{model}"

    def problem(self, seconds):
        """As `GrpcClient.problem`."""
        try:
            answer = self._ask("GET", self.url, seconds)
            with _checked(self.host):
                states = [version["state"] for version in answer["model_version_status"]]
        except ProgramError as error:
            return ServerError(str(error))
        if "AVAILABLE" in states:
            return None
        return ServerError(f"{self.host}: no version of {self.model} is available yet")

    def predict(self, images):
        """Asks about encoded images, as `GrpcClient.predict` does.

        Strings come as text, or as bytes if the output's name ends in `_bytes`. An output that is
        the only one comes without its name, and is called `outputs`.
        """
        instances = [{INPUT: {"b64": base64.b64encode(image).decode()}} for image in images]
        body = {"signature_name": SIGNATURE, "instances": instances}
        answer = self._ask("POST", f"{self.url}:predict", self.deadline, ATTEMPTS, json=body)
        with _checked(self.host):
            rows = answer["predictions"]
            if len(rows) != len(images):
                raise ValueError(f"{len(rows)} predictions for {len(images)} images")
            named = [row if isinstance(row, dict) else {"outputs": row} for row in rows]
            return [{name: _decoded(value) for name, value in row.items()} for row in named]

    def _ask(self, method, url, seconds, attempts=1, **options):
        """The server's answer, asked for up to `attempts` times within `seconds`.

        Not by urllib3's retries: each of them gets a time of its own.
        """
        end = time.monotonic() + seconds
        for attempt in range(attempts):
            left = max(end - time.monotonic(), 0.001)
            try:
                status, content = _within(
                    left, lambda left=left: self._fetch(method, url, timeout=left, **options)
                )
            except requests.ConnectionError as error:
                status, content = None, {"error": error}
            except (requests.RequestException, TimeoutError, ValueError, RecursionError) as error:
                raise ServerError(_line(self.host, type(error).__name__, error)) from error
            if status == 200:
                return content
            pause = BACKOFF * 2**attempt
            last = attempt == attempts - 1 or time.monotonic() + pause > end
            if last or status not in (None, *BUSY):
                break
            time.sleep(pause)
        kind = RefusedError if status == 400 else ServerError
        reason = content.get("error") if isinstance(content, dict) else content
        raise kind(_line(self.host, status or "no connection", reason))

    def _fetch(self, method, url, **options):
        """Status and JSON of one answer of at most `MAX_ANSWER` bytes."""
        with self.session.request(
            method, url, stream=True, allow_redirects=False, **options
        ) as answer:
            content = bytearray()
            for part in answer.iter_content(2**16):
                content += part
                if len(content) > MAX_ANSWER:
                    raise ValueError(f"the answer has more than {MAX_ANSWER} bytes")
            return answer.status_code, json.loads(content)


def _decoded(value):
    """An output for one image: an array, or the bytes that JSON holds in base 64."""
    if isinstance(value, dict) and value.keys() == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    return np.array(value)


def _within(seconds, function):
    """Returns or raises what a function does, or a `TimeoutError` if that takes longer.

    The time limits of requests are those of single reads: a server that sends a byte now and then
    never exceeds them. The thread that still waits for it does not keep a program from ending.
    """
    results = queue.Queue()

    def run():
        try:
            results.put((function(), None))
        except Exception as error:
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:.1f} s") from None
    if error is not None:
        raise error
    return result


@contextlib.contextmanager
def _checked(host):
    """Makes a `ServerError` of what goes wrong with an answer that is none."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ServerError(_line(host, "not an answer of TF Serving", reason)) from error


def _line(*parts):
    """One line of what a server said, which may be many, long, and for no terminal."""
    line = ": ".join(" ".join(str(part).split()) for part in parts)[:LONGEST_LINE]
    return printable(line)
