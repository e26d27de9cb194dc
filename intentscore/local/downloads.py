"""Where clients fetch the chunks of large results: a server of its own, as an account's chunks lie in cloud storage.

Each connection has a thread that hands a chunk to the kernel in a few calls. Nothing of Python runs meanwhile, so
that a client in the same process reads as fast as one outside it; an event loop would take turns with it for every
piece.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa

Chunk = list[pa.Buffer]
Find = Callable[[str, str], Chunk | HTTPStatus]


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        found = self.server.find(self.path, self.headers.get("Authorization", ""))
        if isinstance(found, HTTPStatus):
            self.send_response(found)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")  # its reader costs the client less than one that counts
        self.end_headers()
        self.wfile.write(b"%x\r\n" % sum(part.size for part in found))
        for part in found:
            self.wfile.write(memoryview(part))
        self.wfile.write(b"\r\n0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """The engine keeps no access log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    find: Find


@contextlib.contextmanager
def serving(host: str, find: Find) -> Iterator[int]:
    """Serve chunks on a free port of the interface; `find` takes a path and the Authorization header."""
    with _Server((host, 0), _Requests) as server:
        server.find = find
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
