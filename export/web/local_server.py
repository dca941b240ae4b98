"""An HTTP server of a folder and of files in memory, for a browser on this machine."""

import contextlib
import functools
import http
import http.server
import io
import pathlib
import socket
import sys
import threading
import urllib.parse

CONNECTIONS = 32  # at once; what comes beyond is closed
SECONDS = 60  # of a connection, which serves one file
NAMES = ("localhost", "127.0.0.1")


def make_server(folder, files, port):
    """A server that listens on this machine only.

    Args:
        folder: Folder of the page. What symbolic links lead out of it to is not served, nor are
            lists of its folders.
        files: Dict of names to bytes, served beside the folder's.
        port: Port, or 0 for any.

    Raises:
        OSError: If it cannot listen.
    """
    handler = functools.partial(Handler, files, directory=str(pathlib.Path(folder).resolve()))
    return Server(("localhost", port), handler)


class Server(http.server.ThreadingHTTPServer):
    """A bounded number of connections, each of bounded length."""

    def __init__(self, *arguments):
        self.free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(*arguments)

    def verify_request(self, request, client_address):
        return self.free.acquire(blocking=False)

    def process_request_thread(self, request, client_address):
        end = threading.Timer(SECONDS, _shut, [request])
        end.daemon = True
        try:
            end.start()
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self.free.release()

    def process_request(self, request, client_address):
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # there are no more threads
            self.free.release()
            raise

    def handle_error(self, request, client_address):
        """A connection that the browser or the timer ended is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _shut(connection):
    with contextlib.suppress(OSError):  # it has ended just now
        connection.shutdown(socket.SHUT_RDWR)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers GET and HEAD with files of a folder, and with some from memory."""

    def __init__(self, files, *arguments, **options):
        self.files = files
        super().__init__(*arguments, **options)

    def send_head(self):
        # A page from elsewhere whose name was made to lead here must not read anything.
        host = self.headers.get("Host", "").lower()
        if host.rpartition(":")[0] not in NAMES and host not in NAMES:
            self.send_error(http.HTTPStatus.MISDIRECTED_REQUEST)
            return None
        name = urllib.parse.unquote(self.path.partition("?")[0])
        content = self.files.get(name.lstrip("/"))
        if content is None:
            return self.send_file_head()
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def send_file_head(self):
        """Answers with a file of the folder, as `send_head` does."""
        folder = pathlib.Path(self.directory)
        try:
            path = pathlib.Path(self.translate_path(self.path)).resolve()
            path = (path / "index.html").resolve() if path == folder else path
            found = path.is_relative_to(folder) and path.is_file()
        except (OSError, ValueError):  # a name that is too long, or has a NUL
            found = False
        if found:
            return super().send_head()
        self.send_error(http.HTTPStatus.NOT_FOUND)
        return None

    def end_headers(self):
        # Threads of WebAssembly share memory, which browsers allow to isolated pages only.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_):
        """Says nothing about each request."""
