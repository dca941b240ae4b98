"""Answers that a server may give a client: bytes on a connection, from headers to JSON."""

import json

import numpy as np

from tests.hostile.bytes import DAMAGES

ROW = {"classes": ["1", "2", "3", "4", "5"], "scores": [0.5, 0.2, 0.1, 0.1, 0.1]}
OBJECTS = {
    "boxes": [[1.5, 2.0, 9.0, 8.5], [0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 0.0, 0.0]],
    "scores": [0.75, 0.5, 0.0],
    "classes": [1, 0, 0],
    "count": 2,
    "masks": [[[0.0, 1.0], [0.5, 0.5]]] * 3,
    "labels": ["ant", "bee"],
}
VALUES = (None, True, -1, 1e999, float("nan"), "text", "\x1b[2J", [], {}, [[]], [None], [[[[]]]])
VALUES += ([ROW], {"classes": 1}, [1, [2, [3]]], "x" * 10**6, {"": ""}, [{"x": [1, [2]]}])


def answer(body, status="200 OK", **headers):
    """An answer of HTTP, bytes."""
    lines = {"Content-Type": "application/json", "Content-Length": len(body)} | headers
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def good(row):
    return json.dumps({"predictions": [row]}).encode()


def changed(row, rng):
    """A good answer with something else in one of its places."""
    value = VALUES[rng.integers(len(VALUES))]
    place = rng.integers(5)
    if place == 0:
        return value
    if place == 1:
        return {"predictions": value}
    if place == 2:
        return {"predictions": [value]}
    if place == 3:
        return {"predictions": [row | {sorted(row)[rng.integers(len(row))]: value}]}
    return {"error": value}


STATUSES = ("200 OK", "200 OK", "200 OK", "400 Bad Request", "404 Not Found", "500 Oops")
STATUSES += ("999 ?", "100 Continue", "204 No Content", "301 Moved", "200 " + "y" * 70_000)
HEADERS = (
    {},
    {"Content_Length": 10**12},
    {"Content_Length": -1},
    {"Content_Length": 3},
    {"Content_Length": "many"},
    {"Content_Encoding": "gzip"},
    {"Transfer_Encoding": "chunked"},
    {"Location": "http://localhost:1/"},
    {"Content_Type": "text/html; charset=\x07"},
    {"X": "y" * 70_000},
)


def make_replies(seed, row=ROW):
    """Endless answers to a prediction of one image, made of a good row.

    Yields:
        A name, and bytes.
    """
    rng = np.random.default_rng(seed)
    while True:
        for headers in HEADERS:
            status = STATUSES[rng.integers(len(STATUSES))]
            body = json.dumps(changed(row, rng)).encode()
            yield " ".join([status[:20], *headers]), answer(body, status, **headers)
        for damage in DAMAGES:
            yield damage.__name__, damage(answer(good(row)), rng)
            yield f"{damage.__name__} body", answer(damage(good(row), rng))
        yield "deep", answer(b"[" * 100_000)
        yield "endless number", answer(b'{"predictions": [' + b"9" * 100_000 + b"]}")
