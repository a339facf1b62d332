"""A cloud that is only HTTP: keystone with one token, and services that answer as a test says. On loopback."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = tuple[int, str]
"""HTTP status and body."""


@dataclass
class Stub:
    """``answers`` is asked first: method and path, to an answer or None. ``hang``: no answer comes before it is set."""

    answers: Callable[[str, str], Answer | None] = lambda _method, _path: None
    hang: threading.Event | None = None
    role: str = "admin"
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str) -> Answer:
        """What the test says, or a keystone that knows everybody and services that have nothing."""
        self.asked.append(f"{method} {path}")
        told = self.answers(method, path)
        if told is not None:
            return told
        bare = path.partition("?")[0].rstrip("/")
        if bare == "/v3/auth/tokens":
            return 201, json.dumps({"token": self.token()})
        if bare == "/v3":
            links = [{"rel": "self", "href": f"{self.url}/v3/"}]
            return 200, json.dumps({"version": {"id": "v3.14", "status": "stable", "links": links}})
        if bare == "/placement":
            version = {"id": "v1.0", "min_version": "1.0", "max_version": "1.39", "status": "CURRENT"}
            return 200, json.dumps({"versions": [{**version, "links": [{"rel": "self", "href": ""}]}]})
        if bare in ("/network/v2.0", "/compute/v2.1", "/image/v2"):
            return 200, json.dumps({"version": {"id": bare.rpartition("/")[2], "status": "CURRENT", "links": []}})
        name = bare.removesuffix("/detail").rpartition("/")[2].replace("os-", "").replace("-", "_")
        return 200, json.dumps({name: []})

    def token(self) -> Mapping[str, object]:
        """What keystone says of whoever asks: an administrator, and where the services are."""
        paths = {
            "network": "/network/v2.0",
            "compute": "/compute/v2.1",
            "image": "/image/v2",
            "placement": "/placement",
        }
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {"id": kind, "interface": "public", "region": "R", "region_id": "R", "url": self.url + path}
                ],
            }
            for kind, path in paths.items()
        ]
        domain = {"id": "default", "name": "Default"}
        return {
            "methods": ["password"],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "u", "domain": domain},
            "project": {"id": "p", "name": "p", "domain": domain},
            "roles": [{"id": self.role, "name": self.role}],
            "catalog": catalog,
        }


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """While in the block the stub answers at its ``url``."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            if stub.hang is not None:
                stub.hang.wait(20)
            status, body = stub.answer(self.command, self.path)
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if body.startswith("{") else "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Subject-Token", "token")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: tests look at ``asked``."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: a client that has lost its patience is part of a test."""

    server = Server(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        if stub.hang is not None:
            stub.hang.set()
        server.shutdown()
        server.server_close()


def write_clouds_yaml(path: Path, auth_url: str, **more: object) -> None:
    """An entry ``stub`` for this keystone."""
    auth = {
        "auth_url": auth_url,
        "username": "u",
        "password": "p",
        "project_name": "p",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    path.write_text(json.dumps({"clouds": {"stub": {"region_name": "R", "auth": auth, **more}}}))
