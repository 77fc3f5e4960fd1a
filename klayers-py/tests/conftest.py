"""A server on loopback that answers like the public API v2: rows in no order, no optional fields, and
packages only in the spelling of the collection."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]


def _arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:770693421928:layer:{name}"


def _version(name: str, version: str, expires: str | None = None, **fields: Any) -> dict[str, Any]:
    package = name.split("-")[-1].split(":")[0].lower()
    row = {
        "arn": _arn(name),
        "packageVersion": version,
        "deployStatus": "deprecated" if expires else "latest",
        "dependencies": ["idna==3.11", f"{package}=={version}"],
        **fields,
    }
    return {**row, "expiryDate": expires} if expires else row


COLLECTION: dict[str, list[dict[str, Any]]] = {
    "/api/v2/p3.13/layers/latest/us-east-1": [
        {
            "package": package,
            "packageVersion": version,
            "arn": _arn(f"Klayers-p313-{package}:{number}"),
        }
        for package, version, number in [
            ("requests", "2.32.5", 4),
            ("Pillow", "12.0.0", 2),
            ("numpy", "2.3.4", 7),
        ]
    ],
    "/api/v2/p3.13/layers/us-east-1/requests": [
        _version("Klayers-p313-requests:3", "2.32.3", expires="2026-11-01T02:00:00"),
        _version("Klayers-p313-requests:4", "2.32.5"),
        _version("Klayers-p313-requests:1", "2.31.0", expires="2026-03-01T02:00:00"),
    ],
    "/api/v2/p3.13/layers/us-east-1/Pillow": [_version("Klayers-p313-Pillow:2", "12.0.0")],
    "/api/v2/p3.13-arm64/layers/us-east-1/requests": [
        # With the optional fields that a server of this project sends.
        _version(
            "Klayers-p313-arm64-requests:5",
            "2.32.5",
            region="us-east-1",
            layerVersion=5,
            requirementsHash="ab" * 32,
            codeSha256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            codeSize=1000,
            unzippedSize=3000,
            createdDateTime="2026-10-04T02:11:09",
            license="Apache-2.0",
            gate={"imports": "passed", "warnings": ["py.typed is missing"]},
        )
    ],
    "/api/v2/p3.13/layers/us-east-1/retired": [
        _version("Klayers-p313-retired:1", "1.0", expires="2026-11-01T02:00:00")
    ],
}


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    # Many clients connect at once.
    request_queue_size = 128


class Server:
    """A running server that records the requested paths."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def respond(
    request: BaseHTTPRequestHandler, status: int, content_type: str, body: str | bytes
) -> None:
    """Sends a complete answer."""
    payload = body if isinstance(body, bytes) else body.encode()
    request.send_response(status)
    request.send_header("Content-Type", content_type)
    request.send_header("Content-Length", str(len(payload)))
    request.end_headers()
    request.wfile.write(payload)


def _collection(request: BaseHTTPRequestHandler) -> None:
    respond(request, 200, "application/json", json.dumps(COLLECTION.get(request.path, [])))


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    """Starts servers that answer with a given function."""
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server of a small collection, which the default client uses."""
    server = serve(_collection)
    monkeypatch.setenv("KLAYERS_API_URL", server.url)
    return server


class Faulty:
    """A slow server that fails the first request for each package."""

    packages = ["requests", "Pillow", "numpy", "pandas", "boto3"]

    def __init__(self, serve: Callable[[Answer], Server]) -> None:
        self.failed: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.url = serve(self._answer).url

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        package = request.path.rsplit("/", 1)[-1]
        with self._lock:
            fails = package not in self.failed
            (self.failed if fails else self.answered)[package] += 1
        time.sleep(0.05)
        if fails:
            respond(request, 503, "text/plain", "try again")
            return
        body = json.dumps([_version(f"Klayers-p313-{package}:4", "1.0")]).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Cache-Control", "max-age=60")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def faulty(serve: Callable[[Answer], Server]) -> Faulty:
    return Faulty(serve)
