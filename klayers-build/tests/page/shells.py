"""A server in front of `serve` that adds the pages, straight from their sources.

It is there until `serve` has them itself: with KLAYERS_PAGES_SERVED=1 the tests go without it.
"""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def content_security_policy() -> str:
    """The policy that `page.rs` states."""
    source = (SOURCES / "page.rs").read_text()
    found = re.search(r'CONTENT_SECURITY_POLICY: &str = "([^"]*)"', source)
    assert found, "page.rs states no policy"
    return re.sub(r"\\\n\s*", "", found[1])


class Shells:
    """The server; `address` is where it listens, until it is closed."""

    def __init__(self, upstream: str) -> None:
        policy = content_security_policy()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                if path == "/":
                    self.shell("catalogue.html")
                elif path.startswith("/packages/"):
                    self.shell("package.html")
                elif re.fullmatch(r"/assets/[a-z]+\.(js|css|svg)", path):
                    file = SOURCES / "page" / path.rsplit("/", 1)[1]
                    self.answer(200, TYPES[file.suffix], file.read_bytes())
                else:
                    self.forward()

            def shell(self, name: str) -> None:
                body = (SOURCES / "page" / name).read_bytes()
                headers = {"content-security-policy": policy}
                self.answer(200, "text/html; charset=utf-8", body, headers)

            def forward(self) -> None:
                try:
                    with urllib.request.urlopen(upstream + self.path) as response:
                        self.answer(response.status, response.headers["content-type"], response.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, error.headers["content-type"], error.read())

            def answer(
                self, status: int, content_type: str, body: bytes, headers: dict[str, str] = {}
            ) -> None:
                self.send_response(status)
                fields = {"content-type": content_type, "content-length": str(len(body)), **headers}
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
