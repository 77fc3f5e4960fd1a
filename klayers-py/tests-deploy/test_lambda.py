"""The wheel inside a Lambda function: the runtime of AWS's base images calls the code, and the
process has what Lambda gives it, a file system that cannot be written but for 512 MiB in /tmp, no
home, no shared memory, and nothing in its environment but what Lambda sets."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import klayers
import pytest
from conftest import HTTPServer, Server, arn, tool

#: Where the function and its runtime lie in its file system: an empty folder of every Linux.
MOUNT = Path("/mnt")
REQUESTS = arn("requests", 7, target="p3.11")

#: What Lambda tells a runtime of each event. AWS's runtime needs all of it, and crashes without.
INVOCATION = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:look-up",
    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
}

FUNCTION = r"""
import os, re, subprocess, sys
import klayers

place = {"region": klayers.Region.from_environment(), "target": klayers.Target.from_environment()}
client = klayers.Client(cache_dir="/tmp/klayers")

def peak():
    # That which getrusage tells begins with the peak of the process that started this one.
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024

def handler(event, context):
    package = event["package"]
    done = subprocess.run([sys.executable, "-m", "klayers", "latest-arn", package],
                          capture_output=True, text=True)
    return {
        "function": klayers.latest_arn(package, **place),
        "client": client.latest_arn(package, **place),
        "command": done.stdout.split() if done.returncode == 0 else done.stderr,
        "kept": sorted(os.listdir("/tmp/klayers")) != [],
        "imported from": klayers.__file__,
        "is read-only": not os.access(klayers.__file__, os.W_OK),
        "peak": peak(),
    }
"""

#: Makes the file system of a function, of its folder and that of the runtime, and becomes a program.
ISOLATED = f"""
set -eu
mount -t tmpfs tmpfs {MOUNT}
mkdir {MOUNT}/function {MOUNT}/runtime
mount --bind "$1" {MOUNT}/function
mount --bind "$2" {MOUNT}/runtime
shift 2
# What it was started from may lie below.
cd {MOUNT}/function/task
mount -t tmpfs -o size=512m tmpfs /tmp
mount -t tmpfs -o size=0,ro tmpfs /dev/shm
for folder in {MOUNT}/function {MOUNT}/runtime {MOUNT} /; do
    mount -o remount,bind,ro "$folder"
done
exec "$@"
"""


class RuntimeApi:
    """What Lambda is to a runtime: it hands out events and takes what the function answers."""

    def __init__(self) -> None:
        self._events: queue.Queue[str] = queue.Queue()
        self._answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                event = api._events.get().encode()
                self.send_response(200)
                for name, value in INVOCATION.items():
                    self.send_header(name, value)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() + 60) * 1000))
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api._answers.put((self.path.rpartition("/")[2], json.loads(body)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = HTTPServer(Handler)
        self.address = server.address
        self.close = server.stop

    def send(self, event: Any) -> None:
        self._events.put(json.dumps(event))

    def answer(self, timeout: float) -> tuple[str, Any]:
        """What became of an event: "response" or "error", and what was said."""
        return self._answers.get(timeout=timeout)


class Function:
    """A function that runs, and Lambda's side of it."""

    def __init__(self, api: RuntimeApi, process: subprocess.Popen[str]) -> None:
        self._api = api
        self.process = process

    def invoke(self, event: Any) -> tuple[str, Any]:
        """What became of an event: "response" or "error", and what was said."""
        self._api.send(event)
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return self._api.answer(0.2)
        pytest.fail(f"there was no answer, and the runtime has ended with {self.process.poll()}")


@pytest.fixture
def function(server: Server, tmp_path: Path) -> Iterator[Function]:
    unshare = tool("unshare")
    refused = subprocess.run([unshare, "--map-root-user", "--mount", "true"], capture_output=True)
    if refused.returncode and not os.environ.get("CI"):
        pytest.skip(f"no name space of files to be had: {refused.stderr.decode()}")
    package = Path(klayers.__file__).parent
    libraries = tmp_path / "opt" / "python"
    shutil.copytree(package, libraries / "klayers")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "app.py").write_text(FUNCTION)
    api = RuntimeApi()
    environment = {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": "look-up",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_REGION": "us-east-1",
        "KLAYERS_API_URL": server.url,
        "LAMBDA_TASK_ROOT": str(MOUNT / "function" / "task"),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(MOUNT / "function" / "opt" / "python"),
        "TZ": ":UTC",
    }
    process = subprocess.Popen(
        [unshare, "--map-root-user", "--mount", "sh", "-c", ISOLATED, "sh", tmp_path, sys.prefix,
         MOUNT / "runtime" / "bin" / "python", "-m", "awslambdaric", "app.handler"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    yield Function(api, process)
    process.kill()
    said, _ = process.communicate()
    print(said)
    api.close()


def test_function_finds_its_layers(function: Function) -> None:
    kind, answer = function.invoke({"package": "requests"})
    assert kind == "response", answer
    assert answer.pop("peak") < 128 << 20, "more than the smallest function has"
    assert answer == {
        "function": REQUESTS,
        "client": REQUESTS,
        "command": [REQUESTS],
        "kept": True,
        "imported from": str(MOUNT / "function/opt/python/klayers/__init__.py"),
        "is read-only": True,
    }


def test_error_type_is_reported(function: Function) -> None:
    kind, answer = function.invoke({"package": "reqeusts"})
    assert kind == "error"
    assert answer["errorType"] == "UnknownPackageError"
    assert "requests" in answer["errorMessage"]


def test_thawed_function_uses_new_connections(
    function: Function, server: Server
) -> None:
    assert function.invoke({"package": "requests"})[0] == "response"
    before = len(server.asked)
    for _ in range(3):
        function.process.send_signal(signal.SIGSTOP)
        # Longer than the server lets a connection be idle.
        time.sleep(1)
        function.process.send_signal(signal.SIGCONT)
        kind, answer = function.invoke({"package": "idna"})
        assert (kind, answer["client"]) == ("response", arn("idna", 2, target="p3.11"))
    assert len(server.asked) > before


def test_function_ends_on_sigterm(function: Function) -> None:
    assert function.invoke({"package": "requests"})[0] == "response"
    function.process.terminate()
    assert function.process.wait(timeout=10) == -signal.SIGTERM
