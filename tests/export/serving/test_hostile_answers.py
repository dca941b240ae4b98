"""Clients of servers that answer anything: one line, in time."""

import contextlib
import json
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from common.errors import SettingError
from export.client import ask, lines_of
from export.serving import clients
from export.serving.clients import GrpcClient, RestClient, ServerError
from export.tasks import load_task

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
IMAGES = [b"one", b"two"]


@contextlib.contextmanager
def serving(parts):
    """A server that answers every request with the same parts, one after the other; its address."""
    listener = socket.create_server(("localhost", 0))
    stopped = threading.Event()

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(2**16)
            for part in parts():
                if stopped.is_set():
                    return
                connection.sendall(part)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"localhost:{listener.getsockname()[1]}"
    finally:
        stopped.set()
        listener.close()


def whole(content):
    return HEAD + f"Content-Length: {len(content)}\r\n\r\n".encode() + content


def predicted(host, deadline=5.0):
    return RestClient(host, "digits", deadline).predict(IMAGES)


MALFORMED = [
    b"",
    b"no JSON",
    b"[]",
    b"null",
    b"7",
    b"{}",
    b'{"predictions": null}',
    b'{"predictions": 3}',
    b'{"predictions": [[1.0]]}',
    b'{"predictions": [[1.0], [2.0], [3.0]]}',
    b'{"predictions": [{"scores": [[1], [1, 2]]}, {"scores": [1]}]}',
    b'{"predictions": {"a": 1, "b": 2}}',
    b"[" * 100_000,
    b'{"predictions": ' + b"[" * 100_000,
    b'{"predictions": "\xff"}',
]


@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_answer_is_one_line(content):
    """Whether its form is wrong, or its contents are."""
    with serving(lambda: [whole(content)]) as host:
        client = RestClient(host, "digits", 5.0)
        with pytest.raises(ServerError) as error:
            [lines_of(answer, load_task("classify")) for answer in client.predict(IMAGES)]
        assert isinstance(client.problem(5.0), ServerError)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize(
    "content", [b'{"error": ["many"]}', b'["error"]', b'{"error": "\\u001b[31m"}']
)
def test_an_error_may_have_any_form(content):
    answer = b"HTTP/1.1 500 Oops\r\n" + whole(content).partition(b"\r\n")[2]
    with serving(lambda: [answer]) as host, pytest.raises(ServerError, match=": 500: ") as error:
        predicted(host)
    assert str(error.value).isprintable()


def drops(first):
    """A byte now and then, for ever."""

    def parts():
        yield first
        while True:
            time.sleep(0.1)
            yield b" "

    return parts


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + b"Content-Length: 1000000\r\n\r\n"])
def test_the_deadline_is_that_of_the_whole_call(first):
    with serving(drops(first)) as host:
        begin = time.monotonic()
        with pytest.raises(ServerError, match="no answer within"):
            predicted(host, deadline=1.0)
        assert time.monotonic() - begin < 3
        assert isinstance(RestClient(host, "digits", 9.0).problem(0.5), ServerError)


def test_an_endless_body_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(clients, "MAX_ANSWER", 2**20)

    def parts():
        yield HEAD + b"\r\n"
        while True:
            yield b" " * 2**16

    with serving(parts) as host, pytest.raises(ServerError, match="more than 1048576 bytes"):
        predicted(host, deadline=30.0)


def test_a_redirection_is_not_followed():
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\nContent-Length: 2\r\n\r\n{}"
    with serving(lambda: [answer]) as host, pytest.raises(ServerError, match=": 302: "):
        predicted(host)


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"scores": np.zeros((3, 2), "float32")},
        {"scores": np.zeros((2, 2), "float32"), "classes": np.zeros((1, 2), "float32")},
        {"scores": np.float32(0)},
    ],
)
def test_other_rows_over_grpc_are_an_error(outputs):
    client = GrpcClient("localhost:1", "digits", 1.0)
    response = predict_pb2.PredictResponse()
    for name, array in outputs.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
    client.predictions.Predict = lambda request, timeout: response
    with pytest.raises(ServerError, match="not an answer of TF Serving"):
        client.predict(IMAGES)


def test_scores_that_are_not_finite_are_an_error():
    answer = {"scores": np.array([np.nan]), "classes": np.array([b"ant"])}
    with pytest.raises(ServerError, match="not finite"):
        lines_of(answer, load_task("classify"))


def test_names_of_classes_cannot_steer_a_terminal():
    answer = {"scores": np.array([1.0]), "classes": np.array([b"\x1b[31mred"])}
    assert lines_of(answer, load_task("classify")) == ["100.00%  ?[31mred"]


def test_a_file_that_vanishes_loses_that_file_alone(tmp_path):
    class Echo:
        def predict(self, images):
            return [{"image": image} for image in images]

    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path in (paths[0], paths[2]):
        path.write_text(path.name)
    answers = ask(Echo(), paths)
    assert [answers[0], answers[2]] == [{"image": b"a.png"}, {"image": b"c.png"}]
    assert isinstance(answers[1], SettingError)
    assert "No such file" in str(answers[1])


@pytest.mark.parametrize(
    "value",
    [{"b64": "!"}, {"b64": "QQ="}, {"b64": 1}, {"b64": None}, {"b64": ["QQ=="]}, {"b64": ""}],
)
def test_bytes_that_are_no_mask_are_one_line(value):
    rows = [{"mask_bytes": value, "labels": ["a", "b"]}] * 2
    content = whole(json.dumps({"predictions": rows}).encode())
    with serving(lambda: [content]) as host, pytest.raises(ServerError) as error:
        [lines_of(answer, load_task("segment")) for answer in predicted(host)]
    assert str(error.value).isprintable()
