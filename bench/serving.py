"""The throughput and latency of the server, compared with nginx with the same files and fields."""

import contextlib
import http.client
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from measure import Claim, Measured, Run
from report import Row, time as bound
from tools import Bench, need

PACKAGES = 300
LIST = "/api/v2/p3.13/layers/latest/us-east-1"
CONNECTIONS = 64
SECONDS = 4
# Times are reported for this number of requests.
REQUESTS = 10_000
# Other connections to the server during the row serve-crowded.
IDLE = 10_000
SLOW = 200
# Clients that request unknown packages about once a second, and the number of timed requests
# meanwhile.
CALLERS = 4_000
ASKED = 20
UNKNOWN = """
local number = 0
function request()
  number = number + 1
  return wrk.format("GET", "/packages/no-such-package-" .. number)
end
function delay()
  return math.random(500, 1500)
end
"""


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    address: str
    process: "subprocess.Popen[str]"


def serving(bench: Bench, encoding: str, slower: float, folder: Path) -> Row:
    """Compares a list of 300 packages from one worker of each server on one core, requested by wrk
    on the other core. `slower` is the largest allowed ratio of our time to nginx's."""
    for program in ("wrk", "taskset"):
        need(program)
    measured: Measured = {}
    for turn in range(bench.rounds + 1):
        # Each round starts new servers: the place of a body in memory changes the time by up to a
        # seventh, for as long as a server runs.
        work = Path(tempfile.mkdtemp(prefix="round-", dir=folder))
        servers = [ours(bench, work), nginx(bench, work)]
        try:
            for server in servers:
                wait_for(server.address)
                check(server, encoding)
            for server in servers if turn % 2 else reversed(servers):
                run, p99 = load(server, encoding)
                if turn:
                    measured.setdefault(server.name, []).append(run)
                    measured.setdefault(f"{server.name}, p99", []).append(p99)
        finally:
            for server in servers:
                server.process.send_signal(signal.SIGTERM)
                server.process.wait()
        shutil.rmtree(work)
    ordered = {name: measured[name] for name in sorted(measured, key=len)}
    return Row(
        f"A list of {PACKAGES} packages, {encoding}",
        ordered,
        f"{REQUESTS:,} requests over {CONNECTIONS} connections, one worker each on one core, wrk on"
        " the other; of one request, the time that 99 of 100 are answered in",
        [
            Claim("klayers", "nginx", longer=slower),
            Claim("klayers, p99", "nginx, p99", longer=slower),
        ],
    )


def crowded(bench: Bench, folder: Path) -> Row:
    """Measures the same list while thousands of connections are idle and hundreds send their heads
    byte by byte."""
    for program in ("wrk", "taskset"):
        need(program)
    server = ours(bench, folder)
    alone, beside = "alone", f"beside {IDLE:,} idle and {SLOW} slow connections"
    measured: Measured = {alone: [], beside: []}
    try:
        wait_for(server.address)
        for turn in range(bench.rounds + 1):
            _, before = load(server, "gzip")
            with Crowd(server.address):
                _, during = load(server, "gzip")
            if turn:
                measured[alone].append(before)
                measured[beside].append(during)
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()
    return Row(
        f"A list of {PACKAGES} packages from a server with many other connections",
        measured,
        f"the time in which 99 of 100 requests are answered, of {CONNECTIONS} connections",
        [Claim(beside, alone, longer=3)],
    )


def unknown(bench: Bench, folder: Path) -> Row:
    """Measures a list and pages of existing packages while thousands of clients request unknown
    packages. Each client sends about one request a second, each time with another name."""
    for program in ("wrk", "taskset"):
        need(program)
    allow_many_connections()
    server = ours(bench, folder)
    script = folder / "unknown.lua"
    script.write_text(UNKNOWN)
    listed, document = "a cached list", "a package's versions, requested for the first time"
    measured: Measured = {listed: [], document: []}
    try:
        wait_for(server.address)
        names = iter(packages(server))
        for _ in range(bench.rounds):
            callers = subprocess.Popen(
                ["taskset", "-c", "1", "wrk", "-t1", f"-c{CALLERS}", f"-d{SECONDS}s", "-s", script,
                 server.address],
                stdout=subprocess.PIPE, text=True,
            )
            # By now all connections are open, and each has sent a request.
            time.sleep(1.5)
            measured[listed].append(slowest(server, [LIST] * ASKED))
            paths = [f"/api/v2/packages/{name}" for name in itertools.islice(names, ASKED)]
            measured[document].append(slowest(server, paths))
            output, _ = callers.communicate()
            if callers.returncode or re.search(r"Non-2xx|Socket errors", output):
                sys.exit(f"bench: the callers of unknown packages failed:\n{output}")
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()
    rate = float(find(r"Requests/sec:\s+([\d.]+)", output))
    return Row(
        f"Existing packages, beside {CALLERS:,} clients that request unknown ones",
        measured,
        f"the slowest of {ASKED} answers of a server with one worker on one core; in the last round"
        f" it answered the callers {rate:.0f} times a second",
        bounds=[bound(listed, 0.05, digits=3), bound(document, 0.05, digits=3)],
    )


def packages(server: Server) -> "list[str]":
    with urllib.request.urlopen(server.address + LIST) as answer:
        return [row["package"] for row in json.load(answer)]


def slowest(server: Server, paths: "list[str]") -> Run:
    """The slowest of several sequential requests over one connection."""
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"))
    longest = 0.0
    for path in paths:
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"bench: {path} was answered with status {answer.status}")
        longest = max(longest, time.perf_counter() - begun)
    connection.close()
    return Run(longest, 0, 0)


def allow_many_connections() -> None:
    """Raises the limit on open files for this process and its children."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Crowd:
    """Idle connections, and connections that never complete a request."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        allow_many_connections()
        self.idle = [socket.create_connection((host, int(port))) for _ in range(IDLE)]
        self.slow = [socket.create_connection((host, int(port))) for _ in range(SLOW)]
        self.ended = threading.Event()
        self.sender = threading.Thread(target=self.send)

    def send(self) -> None:
        for piece in itertools.chain(["GET / HTTP/1.1\r\nx-slow: "], itertools.repeat("a")):
            for connection in self.slow:
                # The server closes connections that take too long.
                with contextlib.suppress(OSError):
                    connection.send(piece.encode())
            if self.ended.wait(0.5):
                return

    def __enter__(self) -> None:
        self.sender.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.sender.join()
        for connection in self.idle + self.slow:
            connection.close()


def ours(bench: Bench, folder: Path) -> Server:
    catalog = folder / "klayers.db"
    subprocess.run(
        [bench.pipeline.parent / "catalog_fixture", catalog, str(PACKAGES - 6)], check=True,
        stdout=subprocess.DEVNULL,
    )
    config = folder / "klayers.toml"
    config.write_text('config_dir = "config"\n')
    subprocess.run(
        [bench.pipeline, "export", "--config", config, "--out", folder / "site"], check=True,
        stdout=subprocess.DEVNULL,
    )
    process = subprocess.Popen(
        ["taskset", "-c", "0", bench.pipeline, "serve", "--config", config, "--listen",
         "127.0.0.1:0"],
        env={**os.environ, "TOKIO_WORKER_THREADS": "1"}, stdout=subprocess.PIPE, text=True,
    )
    assert process.stdout
    address = process.stdout.readline().strip().removeprefix("listening on ")
    return Server("klayers", address, process)


def nginx(bench: Bench, folder: Path) -> Server:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        sys.exit("bench: nginx is not installed")
    port = free_port()
    site = folder / "site/current"
    manifest = json.loads((site / "manifest.json").read_text())
    # The header fields of our server. The configuration in `examples/` derives them from the path of
    # each request, which would cost nginx time.
    fields = manifest["objects"][LIST.lstrip("/") + "/json"]["headers"]
    content_type = fields.pop("content-type")
    headers = " ".join(f'add_header {name} "{value}";' for name, value in fields.items())
    work = folder / "nginx"
    work.mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {work}/{kind};" for kind in kinds)
    conf = work / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; worker_processes 1; pid {work}/pid;\n"
        f"error_log {work}/error.log; events {{ worker_connections 1024; }}\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n"
        f"{temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; root {site}; gzip_static on; gzip_vary on;\n"
        f"types {{ }} default_type {content_type}; {headers}\n"
        "if_modified_since off; open_file_cache max=10000; open_file_cache_valid 60s;\n"
        "location / { try_files $uri $uri/json =404; } } }\n"
    )
    process = subprocess.Popen(
        ["taskset", "-c", "0", program, "-c", conf, "-p", work], text=True,
        stderr=subprocess.DEVNULL,
    )
    return Server("nginx", f"http://127.0.0.1:{port}", process)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(address: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{address}/openapi.json").close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: {address} does not answer")


def check(server: Server, encoding: str) -> None:
    """Checks that both servers send the list in the same encoding."""
    request = urllib.request.Request(server.address + LIST, headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request) as answer:
        sent = answer.headers.get("Content-Encoding", "identity")
    if sent != encoding:
        # nginx of most distributions does not support br, and sends gzip instead.
        if not (server.name == "nginx" and encoding == "br"):
            sys.exit(f"bench: {server.name} sends {sent}, not {encoding}")


def load(server: Server, encoding: str) -> "tuple[Run, Run]":
    accepted = "gzip" if server.name == "nginx" and encoding == "br" else encoding
    before = cpu(server)
    output = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency",
         "-H", f"Accept-Encoding: {accepted}", server.address + LIST],
        check=True, capture_output=True, text=True,
    ).stdout
    used = cpu(server) - before
    if re.search(r"Non-2xx|Socket errors", output):
        sys.exit(f"bench: {server.name} failed:\n{output}")
    done = float(find(r"(\d+) requests in", output))
    rate = float(find(r"Requests/sec:\s+([\d.]+)", output))
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()  # type: ignore[union-attr]
    p99 = float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    return Run(REQUESTS / rate, used / done * REQUESTS, 0), Run(p99, 0, 0)


def find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if not found:
        sys.exit(f"bench: wrk said:\n{text}")
    return found[1]


def cpu(server: Server) -> float:
    """The processor time that the server has used, in seconds."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
