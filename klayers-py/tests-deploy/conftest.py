"""A small collection on loopback, and what finds layers in it: klayers.cdk, and the examples.

Run by `make test-deploy`. What needs a tool that is not there is skipped, unless CI is set.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

#: By target, and in it by package: number, version and, if it is deprecated, expiry.
LAYERS: dict[str, dict[str, list[tuple[int, str, str | None]]]] = {
    "p3.13": {
        "requests": [
            (4, "2.32.5", None),
            (3, "2.32.3", "2026-11-01T02:00:00"),
            (1, "2.31.0", "2026-03-01T02:00:00"),
        ],
        "Pillow": [(2, "12.0.0", None)],
        "aws-xray-sdk": [(5, "2.14.0", None)],
    },
    "p3.13-arm64": {
        "requests": [(10, "2.33.0", None), (9, "2.32.5", "2027-11-01T02:00:00")],
        "Pillow": [(3, "12.0.0", None)],
    },
    "p3.11": {"requests": [(7, "2.32.5", None)], "idna": [(2, "3.11", None)]},
}
REGIONS = ["eu-west-1", "us-east-1"]


def arn(package: str, number: int, *, target: str = "p3.13", region: str = "us-east-1") -> str:
    """The ARN of a layer version of the collection."""
    layer = f"Klayers-{target.replace('.', '')}-{package}"
    return f"arn:aws:lambda:{region}:770693421928:layer:{layer}:{number}"


def _latest(target: str, region: str) -> list[dict[str, Any]]:
    return [
        {
            "package": package,
            "packageVersion": versions[0][1],
            "arn": arn(package, versions[0][0], target=target, region=region),
        }
        for package, versions in LAYERS[target].items()
    ]


def _versions(target: str, region: str, package: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, version, expiry in LAYERS[target][package]:
        row = {
            "arn": arn(package, number, target=target, region=region),
            "packageVersion": version,
            "deployStatus": "deprecated" if expiry else "latest",
            "dependencies": [f"{package}=={version}"],
        }
        rows.append({**row, "expiryDate": expiry} if expiry else row)
    return rows


def _collection() -> dict[str, list[dict[str, Any]]]:
    """The rows of every path that has some."""
    answers: dict[str, list[dict[str, Any]]] = {}
    for target, packages in LAYERS.items():
        for region in REGIONS:
            answers[f"/api/v2/{target}/layers/latest/{region}"] = _latest(target, region)
            for package in packages:
                path = f"/api/v2/{target}/layers/{region}/{package}"
                answers[path] = _versions(target, region, package)
    return answers


class HTTPServer(ThreadingHTTPServer):
    """A server on loopback that runs until it is stopped, and is silent on clients that go without
    a word."""

    daemon_threads = True

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """The collection's server. ``body`` makes it answer all with another body."""

    def __init__(self) -> None:
        self.body: str | None = None
        self.asked: list[str] = []
        answers = _collection()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            #: How long a connection may be idle, in seconds.
            timeout = 0.5

            def do_GET(self) -> None:
                server.asked.append(self.path)
                rows = answers.get(self.path.rstrip("/"), [])
                payload = (json.dumps(rows) if server.body is None else server.body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._handler = Handler
        self._servers = [HTTPServer(Handler)]
        self.url = f"http://{self._servers[0].address}"

    def behind_tls(self, certificate: Path, key: Path) -> str:
        """Another address, where the same is answered with a certificate."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        self._servers.append(HTTPServer(self._handler, tls))
        return f"https://{self._servers[-1].address}"

    def close(self) -> None:
        for server in self._servers:
            server.stop()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The collection, which is asked by all that are not told to ask another."""
    server = Server()
    monkeypatch.setenv("KLAYERS_API_URL", server.url)
    monkeypatch.setenv("NO_PROXY", "*")
    yield server
    server.close()


def tool(name: str, *folders: Path) -> str:
    """A program in one of the folders or on PATH."""
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    found = shutil.which(name, path=path)
    if found is not None:
        return found
    reason = f"{name} is missing: run make setup-deploy"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


#: Where the wheel has put the command `klayers`.
COMMANDS = Path(sys.executable).parent


def pytest_configure(config: pytest.Config) -> None:
    # aws-cdk-lib says at length that it is not tested with this Node.js.
    os.environ["JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION"] = "1"
    os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "1"
