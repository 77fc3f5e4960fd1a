"""Runs a command beside an emulator of AWS that listens on a loopback port."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "build" / "aws" / "bin" / "python"

# What takes longer than this to start, in seconds, does not come.
START_DEADLINE = 180
# How long the command may take to end after it was asked to, in seconds.
END_DEADLINE = 15
# The option of Linux's prctl(2) by which a process is told when the one that started it ends.
PR_SET_PDEATHSIG = 1


class Interrupted(Exception):
    """A signal asks for the end."""


def fail(message):
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(folder, settings):
    """What the emulator sees: nothing of the caller's AWS settings, proxies or home."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        **settings,
    }


def start(arguments, settings, folder, log):
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def end_with_parent():
        if libc:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(
        [PYTHON, *arguments],
        cwd=folder,
        env=environment(folder, settings),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # A process group of its own, which is ended as a whole. Ctrl-C does not reach it, so it is
        # there until the command has ended.
        start_new_session=True,
        preexec_fn=end_with_parent,
    )


def wait_until_ready(server, url, is_ready):
    """Why it is not ready, or nothing when it is."""
    # Proxies of the environment are not for loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            return f"ended with code {server.returncode}"
        try:
            with opener.open(url, timeout=5) as answer:
                if is_ready(answer.read()):
                    return None
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    return f"was not ready after {START_DEADLINE} s"


def end_group(server):
    """Ends the emulator and all that it started. At once: its data goes with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def end_command(command, number):
    """Ends the command for a signal. Ctrl-C has reached it by itself."""
    if number != signal.SIGINT:
        command.send_signal(number)
    try:
        command.wait(END_DEADLINE)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()


def run_command(arguments, variable, url):
    try:
        command = subprocess.Popen(arguments, env={**os.environ, variable: url})
    except OSError as error:
        fail(f"could not run {arguments[0]}: {error.strerror}")
    try:
        code = command.wait()
    except Interrupted as interrupted:
        end_command(command, interrupted.args[0])
        raise
    # As a shell says it.
    return code if code >= 0 else 128 - code


def on_signals(handler):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def interrupt(number, _frame):
    # One is enough: what follows must not stop the tidying up.
    on_signals(signal.SIG_IGN)
    raise Interrupted(number)


def run_beside(name, variable, health, is_ready, arguments, settings):
    """Runs the command that this script was given, with the emulator's URL in `variable`.

    `arguments` and `settings` say, for a port and a folder, how Python starts the emulator and with
    which environment. Where the variable names an emulator already, that one is used.
    """
    if len(sys.argv) < 2:
        fail("which command should be run?")
    if os.environ.get(variable):
        os.execvp(sys.argv[1], sys.argv[1:])
    if not PYTHON.exists():
        fail(f"{name} is missing: run tools/setup-aws, or `make setup-aws`")
    on_signals(interrupt)

    folder = Path(tempfile.mkdtemp(prefix="klayers-aws-"))
    log = folder / "log"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = None
    try:
        with log.open("wb") as output:
            server = start(arguments(port), settings(port, folder), folder, output)
        problem = wait_until_ready(server, url + health, is_ready)
        if problem:
            print(log.read_text(errors="replace"), file=sys.stderr)
            fail(f"{name} {problem}; above is what it said")
        return run_command(sys.argv[1:], variable, url)
    except Interrupted as interrupted:
        return 128 + interrupted.args[0]
    finally:
        on_signals(signal.SIG_IGN)
        if server:
            end_group(server)
        shutil.rmtree(folder, ignore_errors=True)
