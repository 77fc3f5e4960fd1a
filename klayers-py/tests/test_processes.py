"""Signals, forks and ends of processes, each in one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import klayers
import pytest
from conftest import Answer, Faulty, Server

PLACE: Any = {"region": "us-east-1", "python": "3.13"}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="SKIPPED: there is no fork here")


def program(text: str, url: str) -> subprocess.Popen[str]:
    """A program that has the address of a server in URL."""
    prelude = "import klayers, os, sys\nPLACE = dict(region='us-east-1', python='3.13')\n"
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", prelude + textwrap.dedent(text)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "URL": url, "KLAYERS_API_URL": url},
    )


def output(text: str, url: str) -> str:
    running = program(text, url)
    try:
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0, err
    return out


def hanging(serve: Callable[[Answer], Server]) -> tuple[str, threading.Event]:
    """A server that never answers, and whether it was asked."""
    asked = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        time.sleep(20)

    return serve(hang).url, asked


def test_hundred_threads_get_right_answers_from_faulty_server(faulty: Faulty) -> None:
    client = klayers.Client(faulty.url, retry_delay=0.01)
    start = threading.Barrier(100)

    def look_up(number: int) -> None:
        package = faulty.packages[number % len(faulty.packages)]
        start.wait()
        for _ in range(5):
            arn = client.latest_arn(package, **PLACE)
            assert arn.layer_name == f"Klayers-p313-{package}"

    with ThreadPoolExecutor(max_workers=100) as pool:
        list(pool.map(look_up, range(100)))
    assert faulty.answered == Counter(dict.fromkeys(faulty.packages, 1))
    assert faulty.failed == Counter(dict.fromkeys(faulty.packages, 1))


def test_concurrent_first_calls_share_default_client(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLAYERS_API_URL", faulty.url)
    start = threading.Barrier(50)

    def look_up(_: int) -> str:
        start.wait()
        return klayers.latest_arn("requests", **PLACE).layer_name

    with ThreadPoolExecutor(max_workers=50) as pool:
        assert set(pool.map(look_up, range(50))) == {"Klayers-p313-requests"}
    assert faulty.answered == {"requests": 1}


def interrupted_after(text: str, serve: Callable[[Answer], Server]) -> tuple[float, str]:
    """How long a program goes on after Ctrl-C, and what it says."""
    url, asked = hanging(serve)
    running = program(text, url)
    try:
        assert asked.wait(30)
        time.sleep(0.1)
        started = time.monotonic()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        return time.monotonic() - started, out + err
    finally:
        running.kill()


# What it says itself leaves out the end of the interpreter, which takes its time on a busy machine.
NOTICES = """
    import signal, threading, time
    def sent(*_):
        global at
        at = time.monotonic()
        raise KeyboardInterrupt
    signal.signal(signal.SIGINT, sent)
    try:
        {call}
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SKIPPED: Windows has no SIGINT to send")
@pytest.mark.parametrize(
    "call",
    [
        "klayers.latest_arn('requests', **PLACE)",
        "klayers.Client(os.environ['URL']).versions('requests', **PLACE)",
        "__import__('asyncio').run(klayers.AsyncClient().latest(**PLACE))",
    ],
)
def test_ctrl_c_interrupts_lookup_at_once(serve: Callable[[Answer], Server], call: str) -> None:
    seconds, said = interrupted_after(NOTICES.format(call=call), serve)
    assert said == "interrupted\n"
    # A tenth of a second of it is asked for; the rest is the end of a process on a busy machine.
    assert seconds < 2


@pytest.mark.skipif(sys.platform == "win32", reason="SKIPPED: Windows has no SIGINT to send")
def test_ctrl_c_ends_command_without_traceback(serve: Callable[[Answer], Server]) -> None:
    url, asked = hanging(serve)
    running = subprocess.Popen(
        [sys.executable, "-m", "klayers", "latest-arn", "requests", "--region", "us-east-1",
         "--python", "3.13", "--no-cache", "--api-url", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert asked.wait(30)
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=30) == ("", "")
        assert running.returncode == -signal.SIGINT
    finally:
        running.kill()


@needs_fork
def test_client_works_after_fork(server: Server) -> None:
    said = output(
        """
        client = klayers.Client(os.environ["URL"])
        print(client.latest_arn("requests", **PLACE).version, flush=True)
        klayers.latest(**PLACE)
        for _ in range(3):
            child = os.fork()
            if child == 0:
                print(client.latest_arn("Pillow", **PLACE).version, flush=True)
                print(len(klayers.latest(**PLACE)), flush=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(client.latest_arn("requests", **PLACE).version, flush=True)
        """,
        server.url,
    )
    assert said.split() == ["4"] + ["2", "3", "4"] * 3


@needs_fork
def test_fork_during_requests_of_other_threads(server: Server) -> None:
    said = output(
        """
        import threading
        client, wrong = klayers.Client(os.environ["URL"], cache=False), []
        done = threading.Event()
        def look_up():
            while not done.is_set():
                if client.latest_arn("requests", **PLACE).version != 4:
                    wrong.append(1)
        threads = [threading.Thread(target=look_up) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                right = client.latest_arn("Pillow", **PLACE).version == 2
                # Dropped in the child, the parent's connections stay.
                del client
                os._exit(0 if right else 1)
            assert os.waitpid(child, 0)[1] == 0
        done.set()
        for thread in threads:
            thread.join()
        print(len(wrong))
        """,
        server.url,
    )
    assert said == "0\n"


@needs_fork
def test_pool_of_forked_processes(server: Server) -> None:
    said = output(
        """
        import functools, multiprocessing
        if __name__ == "__main__":
            klayers.latest_arn("requests", **PLACE)
            look_up = functools.partial(klayers.latest_arn, **PLACE)
            with multiprocessing.get_context("fork").Pool(4) as pool:
                arns = pool.map(look_up, ["requests", "Pillow"] * 10)
            print(*sorted({arn.layer_name for arn in arns}))
        """,
        server.url,
    )
    assert said == "Klayers-p313-Pillow Klayers-p313-requests\n"


@pytest.mark.parametrize(
    "text",
    [
        """
        import threading
        threading.Thread(
            target=lambda: klayers.latest_arn("requests", **PLACE), daemon=True
        ).start()
        """,
        """
        import asyncio
        async def begin():
            task = asyncio.ensure_future(klayers.AsyncClient().latest_arn("requests", **PLACE))
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        asyncio.run(begin())
        """,
        """
        lookup = klayers._klayers._Lookup.latest(**PLACE)
        pending = klayers.Client()._begin(lookup, print)
        """,
    ],
)
def test_process_can_end_during_request(serve: Callable[[Answer], Server], text: str) -> None:
    url, asked = hanging(serve)
    running = program(textwrap.dedent(text) + "\nsys.stdin.read(); print('ends')", url)
    try:
        assert asked.wait(30)
        assert running.communicate("now\n", timeout=30) == ("ends\n", "")
    finally:
        running.kill()


def test_answer_during_interpreter_shutdown_is_dropped(serve: Callable[[Answer], Server]) -> None:
    """It comes while modules are torn down."""

    def late(request: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)
        request.send_response(503)
        request.end_headers()

    text = """
        import atexit, time
        client = klayers.Client(retries=0)
        pending = client._begin(klayers._klayers._Lookup.latest(**PLACE), print)
        class Slow:
            def __del__(self):
                time.sleep(0.5)
        slow = Slow()
    """
    output(text, serve(late).url)


def test_subinterpreters_work_or_are_refused(server: Server) -> None:
    """From 3.12 on each may have a lock of its own, for which PyO3 is not made."""
    said = output(SUBINTERPRETER, server.url)
    if sys.version_info >= (3, 12):
        assert "ImportError" in said and "subinterpreter" in said
    else:
        assert said == "Klayers-p313-requests\nNone\n"


SUBINTERPRETER = """
        TEXT = "import klayers; print(klayers.latest_arn("
        TEXT += "'requests', region='us-east-1', python='3.13').layer_name, flush=True)"
        import klayers
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        other = interpreters.create()
        try:
            failure = getattr(interpreters, "exec", interpreters.run_string)(other, TEXT)
        except Exception as error:
            failure = error
        print(repr(failure) if not hasattr(failure, "formatted") else failure.formatted)
"""
