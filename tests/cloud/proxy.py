"""A proxy in front of a service of the cloud that fails where a test wants it to. On loopback."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = ("transfer-encoding", "connection", "content-length")


@dataclass
class Faulty:
    """Answers ``status`` to the first request with this method and path ending, and forwards all others.

    0: the connection is closed without an answer, after the request has been carried out. ``late_s``: the request is
    carried out that much later than it is answered with ``status``.
    """

    method: str
    ending: str
    status: int
    late_s: float | None = None
    url: str = ""
    failed: list[str] = field(default_factory=list)
    carried_out: threading.Event = field(default_factory=threading.Event)

    def fails(self, method: str, path: str) -> bool:
        """Whether this request is the one; only once."""
        if self.failed or method != self.method or not path.partition("?")[0].endswith(self.ending):
            return False
        self.failed.append(f"{method} {path}")
        return True


@contextmanager
def in_front_of(service: str, faulty: Faulty) -> Iterator[Faulty]:
    """While in the block the proxy forwards from its ``url`` to this address."""
    target = urlsplit(service)

    class Handler(BaseHTTPRequestHandler):
        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fails = faulty.fails(self.command, self.path)
            if fails and faulty.status:
                self._answer(faulty.status, [("Content-Type", "text/html")], b"<html>the proxy says no</html>")
                if faulty.late_s is None:
                    return
                self.wfile.flush()
                time.sleep(faulty.late_s)
            upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
            try:
                upstream.request(self.command, self.path, body, dict(self.headers.items()))
                answer = upstream.getresponse()
                status, headers, data = answer.status, answer.getheaders(), answer.read()
            finally:
                upstream.close()
            if fails:
                self.close_connection = True
                faulty.carried_out.set()
                return
            self._answer(status, [pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP], data)

        def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test looks at ``failed``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    faulty.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()
