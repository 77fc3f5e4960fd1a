from __future__ import annotations

import asyncio
import json
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import klayers
import pytest
from conftest import Answer, Faulty, Server, respond

PLACE: Any = {"region": "us-east-1", "python": "3.13"}
REQUESTS = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4"


def test_async_client_returns_the_same_results_as_client(server: Server) -> None:
    async def look_up() -> None:
        async with klayers.AsyncClient(server.url, timeout=20) as client:
            assert client.base_url == server.url
            assert repr(client) == f"AsyncClient('{server.url}')"
            assert str(await client.latest_arn("requests", **PLACE)) == REQUESTS
            assert await client.latest(**PLACE) == klayers.latest(**PLACE)
            assert await client.versions("Pillow", **PLACE) == klayers.versions("Pillow", **PLACE)
            assert (await client.layer("requests:1", **PLACE)).package_version == "2.31.0"
            assert await client.packages(python="3.13") == klayers.packages(python="3.13")
            assert await client.targets() == klayers.targets()
            assert await client.regions() == klayers.regions()
            assert await client.package("requests") == klayers.package("requests")

    asyncio.run(look_up())


def test_errors_are_raised_from_await(server: Server) -> None:
    async def look_up() -> None:
        client = klayers.AsyncClient(server.url)
        with pytest.raises(klayers.UnknownPackageError) as raised:
            await client.versions("reqeusts", **PLACE)
        assert raised.value.suggestions == ["requests"]
        with pytest.raises(klayers.InvalidValueError):
            await client.latest(region="mars", python="3.13")
        await client.aclose()
        with pytest.raises(klayers.ClosedError, match="make another"):
            await client.latest(**PLACE)

    asyncio.run(look_up())


def test_methods_are_coroutines(server: Server) -> None:
    """So that tasks can be made of them."""

    async def look_up() -> list[Any]:
        client = klayers.AsyncClient(server.url)
        tasks = [asyncio.create_task(client.latest_arn("requests", **PLACE)) for _ in range(3)]
        return await asyncio.gather(*tasks)

    assert [str(arn) for arn in asyncio.run(look_up())] == [REQUESTS] * 3


def test_client_works_in_several_event_loops(server: Server) -> None:
    client = klayers.AsyncClient(server.url)
    for _ in range(3):
        arn = asyncio.run(client.latest_arn("requests", **PLACE))
        assert str(arn) == REQUESTS


def test_thousand_tasks_get_right_answers_from_faulty_server(faulty: Faulty) -> None:
    async def look_up() -> None:
        async with klayers.AsyncClient(faulty.url, retry_delay=0.01) as client:

            async def one(number: int) -> None:
                package = faulty.packages[number % len(faulty.packages)]
                arn = await client.latest_arn(package, **PLACE)
                assert arn.layer_name == f"Klayers-p313-{package}"

            await asyncio.gather(*(one(number) for number in range(1_000)))

    asyncio.run(look_up())
    assert faulty.answered == Counter(dict.fromkeys(faulty.packages, 1))
    assert faulty.failed == Counter(dict.fromkeys(faulty.packages, 1))


def test_cancelled_task_closes_its_connection_at_once(serve: Callable[[Answer], Server]) -> None:
    asked, gone = threading.Event(), threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        # What is read is the end of the connection: the client sends nothing more.
        request.connection.settimeout(10)
        if request.connection.recv(1) == b"":
            gone.set()

    url = serve(hang).url

    async def look_up() -> float:
        client = klayers.AsyncClient(url, retries=0)
        task = asyncio.create_task(client.latest_arn("requests", **PLACE))
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, 10)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    assert asyncio.run(look_up()) < 1
    assert gone.wait(5), "the connection was kept"


def test_wait_for_times_out(serve: Callable[[Answer], Server]) -> None:
    url = serve(lambda request: time.sleep(3)).url

    async def look_up() -> None:
        client = klayers.AsyncClient(url)
        await asyncio.wait_for(client.latest_arn("requests", **PLACE), 0.1)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(look_up())


def test_answer_after_event_loop_closed_is_dropped(serve: Callable[[Answer], Server]) -> None:
    """The answer comes when nobody is there to hear it."""
    server = serve(lambda request: time.sleep(0.3))
    client = klayers.AsyncClient(server.url, retries=0)

    async def begin() -> None:
        pending = client.latest_arn("requests", **PLACE)
        pending.send(None)
        pending.close()

    for _ in range(3):
        asyncio.run(begin())
    time.sleep(0.5)
    assert asyncio.run(asyncio.sleep(0, "well")) == "well"


def test_stale_answer_comes_with_warning(serve: Callable[[Answer], Server]) -> None:
    well = True

    def answer(request: BaseHTTPRequestHandler) -> None:
        row = {"package": "requests", "packageVersion": "2.32.5", "arn": REQUESTS}
        respond(request, 200 if well else 503, "application/json", json.dumps([row]))

    url = serve(answer).url
    client = klayers.AsyncClient(url, retries=0)
    sync = klayers.Client(url, retries=0)
    rows = asyncio.run(client.latest(**PLACE))
    assert sync.latest(**PLACE) == rows
    well = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert asyncio.run(client.latest(**PLACE)) == rows
        assert sync.latest(**PLACE) == rows
    assert [one.filename for one in caught][1:] == [__file__]
    for one in caught:
        warning = one.message
        assert isinstance(warning, klayers.StaleAnswerWarning)
        assert isinstance(warning, klayers.KlayersError)
        assert timedelta() <= warning.age < timedelta(minutes=1)
        assert isinstance(warning.__cause__, klayers.StatusError)
        assert "old" in str(warning) and "503" in str(warning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(klayers.StaleAnswerWarning):
            asyncio.run(client.latest(**PLACE))
        with pytest.raises(klayers.StaleAnswerWarning):
            sync.latest(**PLACE)


def test_withdrawn_layer_version_comes_with_warning(serve: Callable[[Answer], Server]) -> None:
    row: dict[str, object] = {
        "arn": REQUESTS,
        "packageVersion": "2.32.5",
        "deployStatus": "deprecated",
        "dependencies": [],
        "yanked": "it leaks\nconnections",
    }
    url = serve(lambda request: respond(request, 200, "application/json", json.dumps([row]))).url
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sync = klayers.Client(url).layer("requests:4", **PLACE)
        assert asyncio.run(klayers.AsyncClient(url).layer("requests:4", **PLACE)) == sync
    assert len(caught) == 2
    for one in caught:
        warning = one.message
        assert isinstance(warning, klayers.WithdrawnWarning)
        assert (str(warning.arn), warning.reason) == (REQUESTS, row["yanked"])
        assert str(warning) == f"{REQUESTS} is withdrawn: it leaks connections"
    with pytest.raises(klayers.NoLatestError, match="is withdrawn: it leaks connections") as raised:
        klayers.Client(url).latest_arn("requests", **PLACE)
    assert raised.value.withdrawn == [("2.32.5", 4, row["yanked"])]
