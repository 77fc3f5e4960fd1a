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

# The longest time that an emulator takes to start, in seconds.
START_DEADLINE = 180
# How long the command may take to end after a signal, in seconds.
END_DEADLINE = 15
# The option of Linux's prctl(2) that sends a process a signal when its parent ends.
PR_SET_PDEATHSIG = 1


class Interrupted(Exception):
    """A signal asked this program to end. The argument is its number."""


def fail(message):
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(folder, settings):
    """The environment of the emulator, without the AWS settings, proxies and home of the caller."""
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
        # Its own process group, which is killed as a whole. Ctrl-C does not reach the group, so the
        # emulator runs until the command has ended.
        start_new_session=True,
        preexec_fn=end_with_parent,
    )


def wait_until_ready(server, url, is_ready):
    """Waits until the server answers, and returns why it did not, or None."""
    # Loopback must not go through the proxies of the environment.
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
    """Kills the emulator and its children. Its data is deleted anyway."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def end_command(command, number):
    """Ends the command after a signal. The terminal has already sent it Ctrl-C."""
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
    # The exit code that a shell reports for a signal.
    return code if code >= 0 else 128 - code


def on_signals(handler):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def interrupt(number, _frame):
    # Further signals must not interrupt the cleanup.
    on_signals(signal.SIG_IGN)
    raise Interrupted(number)


def run_beside(name, variable, health, is_ready, arguments, settings):
    """Runs the command in the arguments of this script, with the URL of the emulator in `variable`.

    `arguments` and `settings` return, for a port and a folder, the arguments of the Python that
    starts the emulator, and its environment. If the variable is set, its emulator is used.
    """
    if len(sys.argv) < 2:
        fail("no command was given")
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
            fail(f"{name} {problem}; its output is above")
        return run_command(sys.argv[1:], variable, url)
    except Interrupted as interrupted:
        return 128 + interrupted.args[0]
    finally:
        on_signals(signal.SIG_IGN)
        if server:
            end_group(server)
        shutil.rmtree(folder, ignore_errors=True)
