"""The time to find a layer, in a running process and in a new one."""

import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

from measure import Claim, Contender, in_turn
from report import Row, time as bound
from tools import Bench, environment

LOOKUPS = 1_000_000
LISTS = 200
ARN = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4"
BODY = f'[{{"arn":"{ARN}","packageVersion":"2.32.5","deployStatus":"latest","dependencies":[]}}]'


def cached(bench: Bench, title: str, folder: Path) -> Row:
    """Looks a cached ARN up many times on one thread."""
    return told(bench, title, folder, ["cached", str(LOOKUPS)], at_most=2)


def callers(bench: Bench, title: str, folder: Path) -> Row:
    """Sends a hundred concurrent requests for the same list."""
    return told(bench, title, folder, ["callers", "100"], at_most=2)


def decoding(bench: Bench, title: str, folder: Path) -> Row:
    """Requests and parses a long list."""
    return told(bench, title, folder, ["decode", str(LISTS)], at_most=5)


def told(bench: Bench, title: str, folder: Path, arguments: list, at_most: float) -> Row:
    """A row of a program that measures itself. The note shows the output of one run."""
    program = bench.pipeline.parent / "examples" / "lookups"
    if not program.is_file():
        sys.exit(f"bench: {program} is missing: run make build")
    command = [program, *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    name = f"lookups {' '.join(arguments)}"
    measured = in_turn({name: Contender(command)}, bench.rounds, folder)
    return Row(title, measured, f"one run: {said}", bounds=[bound(name, at_most)])


def process(bench: Bench, title: str, folder: Path) -> Row:
    """Compares a process that finds one ARN with simple scripts that do the same."""
    klayers = bench.pipeline.parent / "klayers"
    if not klayers.is_file():
        sys.exit(f"bench: {klayers} is missing: run make build")
    script = "import sys, requests; print(requests.get(sys.argv[1]).json()[0]['arn'])"
    with server() as url:
        page = f"{url}/api/v2/p3.13/layers/us-east-1/requests"
        ours, start = "klayers latest-arn", "klayers --version"
        contenders = {
            ours: Contender(
                [klayers, "latest-arn", "requests", "--region", "us-east-1", "--python", "3.13",
                 "--api-url", url, "--no-cache"]
            ),
            start: Contender([klayers, "--version"]),
        }
        shell, python = "curl and jq", "a Python script with requests"
        if shutil.which("curl") and shutil.which("jq"):
            contenders[shell] = Contender(["sh", "-c", f"curl -s {page} | jq -r '.[0].arn'"])
        contenders[python] = Contender([environment(folder, "requests"), "-c", script, page])
        claims = [Claim(ours, peer) for peer in (shell, python) if peer in contenders]
        measured = in_turn(contenders, bench.rounds, folder)
    without = "" if shell in contenders else f"; without {shell}, which are not installed"
    size = klayers.stat().st_size
    note = f"from loopback, nothing kept; the binary has {size / 1e6:.1f} MB{without}"
    return Row(title, measured, note, claims)


@contextmanager
def server() -> Iterator[str]:
    """An API with one layer."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", "max-age=600")
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY.encode())

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
