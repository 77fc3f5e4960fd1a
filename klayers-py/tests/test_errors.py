from __future__ import annotations

import json
import pickle
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import klayers
import pytest
from conftest import COLLECTION, Answer, Server, respond

PLACE: Any = {"region": "us-east-1", "python": "3.13"}
LIST = "/api/v2/p3.13/layers/us-east-1/requests"


def fail(url: str, **options: Any) -> klayers.KlayersError:
    with pytest.raises(klayers.KlayersError) as raised:
        klayers.Client(url, **options).latest_arn("requests", **PLACE)
    return raised.value


def test_misspelt_package_raises_error_with_suggestions(server: Server) -> None:
    for look_up in (klayers.latest_arn, klayers.versions):
        with pytest.raises(klayers.UnknownPackageError) as raised:
            look_up("reqeusts", **PLACE)
        error = raised.value
        assert error.package == "reqeusts"
        assert error.region == klayers.Region("us-east-1")
        assert error.target == klayers.Target("p3.13")
        assert error.suggestions == ["requests"]
        assert str(error) == "no layer of reqeusts for p3.13 in us-east-1; did you mean requests?"
        assert isinstance(error, klayers.NotFoundError)


def test_package_with_only_deprecated_layers_has_no_latest(server: Server) -> None:
    with pytest.raises(klayers.NoLatestError) as raised:
        klayers.latest_arn("retired", **PLACE)
    assert isinstance(raised.value, klayers.NotFoundError)
    assert raised.value.package == "retired"
    assert len(klayers.versions("retired", **PLACE)) == 1


def test_errors_can_be_pickled(server: Server) -> None:
    with pytest.raises(klayers.UnknownPackageError) as raised:
        klayers.latest_arn("reqeusts", **PLACE)
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is klayers.UnknownPackageError
    assert str(again) == str(raised.value)
    assert vars(again) == vars(raised.value)


def test_invalid_values_are_refused_without_request(server: Server) -> None:
    arguments: Any
    for arguments in [
        {**PLACE, "region": "mars"},
        {**PLACE, "python": "2.7"},
        {**PLACE, "arch": "sparc"},
        {"region": "us-east-1", "target": "3.13"},
    ]:
        with pytest.raises(klayers.InvalidValueError) as raised:
            klayers.latest_arn("requests", **arguments)
        assert isinstance(raised.value, ValueError)
    with pytest.raises(klayers.InvalidValueError, match="not a package name"):
        klayers.latest_arn("a b", **PLACE)
    for url in ["localhost:8080", "ftp://a.example", ""]:
        with pytest.raises(klayers.InvalidValueError, match="base URL"):
            klayers.Client(url)
    times: list[float | timedelta] = [0, -1, float("nan"), float("inf"), timedelta(-1)]
    for seconds in times:
        with pytest.raises(klayers.InvalidValueError, match="seconds"):
            klayers.Client(timeout=seconds)
    assert server.asked == []


@pytest.mark.parametrize("kind", [klayers.Client, klayers.AsyncClient])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -1}, "^-1 is not a count: expected a number from 0 to 4294967295"),
        ({"retries": 2**32}, "4294967296 is not a count"),
        ({"cache_limit": -1}, "-1 is not a count"),
        ({"cache_limit": 2**64}, "18446744073709551616 is not a count"),
    ],
)
def test_counts_out_of_range_are_invalid_values(
    kind: Any, options: dict[str, int], message: str
) -> None:
    with pytest.raises(klayers.InvalidValueError, match=message):
        kind("http://127.0.0.1:9", **options)
    for name in options:
        with pytest.raises(TypeError):
            kind("http://127.0.0.1:9", **{name: "3"})


def test_wrong_arguments_raise_type_error(server: Server) -> None:
    call: Any = klayers.latest_arn
    for positional, named in [
        (("requests",), {"region": "us-east-1"}),
        (("requests",), {**PLACE, "target": "p3.13"}),
        (("requests",), {"region": "us-east-1", "target": "p3.13", "arch": "arm64"}),
        (("requests", "us-east-1"), {"python": "3.13"}),
        (("requests",), {"region": "us-east-1", "python": 3.13}),
        ((None,), PLACE),
        ((), PLACE),
    ]:
        with pytest.raises(TypeError):
            call(*positional, **named)
    assert server.asked == []


def test_unreachable_server_raises_transport_error_with_cause() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    error = fail(url)
    assert isinstance(error, klayers.TransportError)
    assert error.url == url + LIST
    assert error.timed_out is False
    causes: list[str] = []
    cause: BaseException | None = error.__cause__
    while cause is not None:
        causes.append(str(cause))
        cause = cause.__cause__
    assert "refused" in causes[-1]


def test_hanging_server_times_out(serve: Callable[[Answer], Server]) -> None:
    server = serve(lambda request: time.sleep(3))
    started = time.monotonic()
    error = fail(server.url, timeout=0.3)
    assert time.monotonic() - started < 2
    assert isinstance(error, klayers.TransportError)
    assert error.timed_out is True


def test_error_status_raises_status_error(serve: Callable[[Answer], Server]) -> None:
    problem = json.dumps({"title": "Not Found", "status": 404, "detail": "no such path"})
    server = serve(lambda request: respond(request, 404, "application/problem+json", problem))
    error = fail(server.url)
    assert isinstance(error, klayers.StatusError)
    assert (error.status, error.detail, error.url) == (404, "no such path", server.url + LIST)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", "<title>Log in</title>"),
        ("application/json", json.dumps(COLLECTION[LIST])[:-1]),
        ("application/json", json.dumps({"rows": COLLECTION[LIST]})),
        ("application/json", json.dumps(COLLECTION[LIST]).replace("us-east-1", "us-east-2")),
        ("application/json", json.dumps(COLLECTION[LIST]).replace("p313", "p312")),
        ("application/json", json.dumps(COLLECTION[LIST]).replace("-requests", "-numpy")),
    ],
)
def test_invalid_answers_raise_answer_error(
    serve: Callable[[Answer], Server], content_type: str, body: str
) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        respond(request, 200, content_type, body)

    server = serve(answer)
    error = fail(server.url)
    assert isinstance(error, klayers.AnswerError)
    assert error.url == server.url + LIST
    assert server.url + LIST in str(error)
