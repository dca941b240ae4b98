"""The server of the page: what it gives, and what it does not."""

import http.client
import socket
import threading
import time

import pytest

from export.web import local_server
from export.web.local_server import make_server

FILES = {"model.json": b"{}", "model.tflite": bytes(2**22)}


@pytest.fixture
def folder(tmp_path):
    """A folder of a page, with links to what is outside."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.txt").write_text("secret")
    page = tmp_path / "page"
    (page / "library").mkdir(parents=True)
    (page / "index.html").write_text("the page")
    (page / "library" / "code.js").write_text("code")
    (page / "link.txt").symlink_to(tmp_path / "secret.txt")
    (page / "links").symlink_to(tmp_path / "elsewhere")
    (page / "inside.js").symlink_to(page / "library" / "code.js")
    return page


@pytest.fixture
def port(folder):
    server = make_server(folder, FILES, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def ask(port, path, method="GET", **headers):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("localhost", port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"the page"),
        ("/index.html?x=1", b"the page"),
        ("/library/code.js", b"code"),
        ("/inside.js", b"code"),
        ("/model.json", b"{}"),
        ("/model.tflite?", FILES["model.tflite"]),
    ],
)
def test_gives_the_page_and_the_files(port, path, body):
    status, headers, found = ask(port, path)
    assert (status, found) == (200, body)
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    status, again, nothing = ask(port, path, "HEAD")
    assert (status, nothing) == (200, b"")
    assert again["Content-Length"] == headers["Content-Length"]


@pytest.mark.parametrize(
    "path",
    [
        *("/%00", "/index.html%00", "/library/", "/library", "/link.txt", "/links/more.txt"),
        *("/../secret.txt", "/%2e%2e/secret.txt", "//etc/passwd", f"/{'a' * 5000}", "/%ff%fe"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_gives_nothing_else(port, path, method, capfd):
    status, _, body = ask(port, path, method)
    assert status == 404
    assert b"secret" not in body
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:8000", 200)),
        *(("attacker.example", 421), ("attacker.example:8000", 421), ("", 421)),
        ("localhost.attacker.example:80", 421),
    ],
)
def test_answers_to_names_of_this_machine_alone(port, host, status):
    assert ask(port, "/model.json", Host=host)[0] == status


def test_aborted_downloads_are_no_errors(port, capfd):
    for _ in range(3):
        with socket.create_connection(("localhost", port)) as connection:
            connection.sendall(b"GET /model.tflite HTTP/1.0\r\nHost: localhost\r\n\r\n")
            connection.recv(1)
            linger = b"\1\0\0\0\0\0\0\0"  # closing resets the connection
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert ask(port, "/")[0] == 200
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_slow_connections_end_and_are_bounded(folder, monkeypatch):
    monkeypatch.setattr(local_server, "CONNECTIONS", 4)
    monkeypatch.setattr(local_server, "SECONDS", 1)
    server = make_server(folder, FILES, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    slow = [socket.create_connection(("localhost", server.server_port)) for _ in range(5)]
    slow[4].settimeout(10)
    assert slow[4].recv(1) == b""  # the fifth one is closed at once
    with pytest.raises(ConnectionError):
        ask(server.server_port, "/")
    for connection in slow[:4]:  # they send a byte now and then, but end all the same
        connection.settimeout(10)
        connection.sendall(b"G")
        assert connection.recv(1) == b""
    time.sleep(0.2)
    assert ask(server.server_port, "/")[0] == 200
    for connection in slow:
        connection.close()
    server.shutdown()
    server.server_close()
