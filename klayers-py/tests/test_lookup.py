from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import klayers
import pytest
from conftest import Answer, Server, respond

REQUESTS = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4"


def test_latest_arn_of_package(server: Server) -> None:
    arn = klayers.latest_arn("requests", region="us-east-1", python="3.13", arch="x86_64")
    assert isinstance(arn, klayers.LayerVersionArn)
    assert str(arn) == REQUESTS
    assert server.asked == ["/api/v2/p3.13/layers/us-east-1/requests"]


def test_arguments_may_be_values_or_texts(server: Server) -> None:
    region, target = klayers.Region("us-east-1"), klayers.Target("p3.13")
    arn = klayers.LayerVersionArn(REQUESTS)
    assert klayers.latest_arn("requests", region=region, python="3.13") == arn
    assert klayers.latest_arn("Requests", region=region, target=target) == arn
    assert klayers.latest_arn("requests", region="us-east-1", target="p3.13") == arn


def test_layer_has_requested_architecture(server: Server) -> None:
    for arch in ["arm64", "aarch64"]:
        arn = klayers.latest_arn("requests", region="us-east-1", python="3.13", arch=arch)
        assert arn.layer_name == "Klayers-p313-arm64-requests"


def test_package_is_found_in_any_spelling(server: Server) -> None:
    for spelling in ["Pillow", "pillow", "PILLOW"]:
        arn = klayers.latest_arn(spelling, region="us-east-1", python="3.13")
        assert arn.layer_name == "Klayers-p313-Pillow"


def test_latest_is_sorted_by_package(server: Server) -> None:
    rows = klayers.latest(region="us-east-1", python="3.13")
    assert [(row.package, row.package_version) for row in rows] == [
        ("numpy", "2.3.4"),
        ("Pillow", "12.0.0"),
        ("requests", "2.32.5"),
    ]
    assert rows[2].arn == klayers.LayerVersionArn(REQUESTS)
    assert (rows[0].created_at, rows[0].code_sha256, rows[0].license) == (None, None, None)
    assert klayers.latest(region="eu-west-1", python="3.13") == []


def test_versions_are_newest_first_with_aware_datetimes(server: Server) -> None:
    rows = klayers.versions("requests", region="us-east-1", python="3.13")
    assert [row.version for row in rows] == [4, 3, 1]
    assert [row.status for row in rows] == ["latest", "deprecated", "deprecated"]
    assert rows[0].expires_at is None
    assert rows[1].expires_at == datetime(2026, 11, 1, 2, tzinfo=timezone.utc)
    assert rows[0].dependencies == ("idna==3.11", "requests==2.32.5")
    assert rows[0].region == klayers.Region("us-east-1")
    assert rows[0].code_size is None


def test_optional_fields_are_read_if_the_server_sends_them(server: Server) -> None:
    [row] = klayers.versions("requests", region="us-east-1", target="p3.13-arm64")
    assert row.created_at == datetime(2026, 10, 4, 2, 11, 9, tzinfo=timezone.utc)
    assert (row.code_size, row.unzipped_size) == (1000, 3000)
    assert row.requirements_hash == "ab" * 32
    assert row.code_sha256 == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert row.license == "Apache-2.0"


def test_client_uses_its_base_url(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLAYERS_API_URL", "http://127.0.0.1:9")
    client = klayers.Client(server.url, timeout=20)
    assert client.base_url == server.url
    assert repr(client) == f"Client('{server.url}')"
    assert str(client.latest_arn("requests", region="us-east-1", python="3.13")) == REQUESTS
    assert len(client.latest(region="us-east-1", target="p3.13")) == 3
    assert len(client.versions("requests", region="us-east-1", python="3.13")) == 3


def test_default_base_url_is_from_environment_or_public(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KLAYERS_API_URL", "http://127.0.0.1:9")
    assert klayers.Client().base_url == "http://127.0.0.1:9"
    monkeypatch.setenv("KLAYERS_API_URL", "")
    assert klayers.Client().base_url == "https://api.klayers.cloud"
    monkeypatch.delenv("KLAYERS_API_URL")
    assert klayers.Client().base_url == "https://api.klayers.cloud"


def test_threads_share_client(server: Server) -> None:
    client = klayers.Client(server.url)

    def look_up(package: str) -> str:
        return client.latest_arn(package, region="us-east-1", python="3.13").layer_name

    packages = ["requests", "Pillow"] * 50
    with ThreadPoolExecutor(max_workers=20) as pool:
        names = list(pool.map(look_up, packages))
    assert names == [f"Klayers-p313-{package}" for package in packages]


def test_other_threads_run_during_lookup(server: Server) -> None:
    """The server is a thread of this process, so a call that held the interpreter would hang."""
    went_on = threading.Event()
    threading.Timer(0.05, went_on.set).start()
    while not went_on.is_set():
        klayers.latest(region="us-east-1", python="3.13")
    assert server.asked


def test_layer_is_chosen_by_requirement_or_number(server: Server) -> None:
    place: Any = {"region": "us-east-1", "python": "3.13"}
    layers: list[tuple[klayers.Requirement | str, int]] = [
        ("requests", 4),
        ("requests==2.32.*", 4),
        ("requests~=2.31,<2.32.5", 3),
        ("requests:1", 1),
        (klayers.Requirement("requests<2.32"), 1),
    ]
    for wanted, version in layers:
        assert klayers.layer(wanted, **place).version == version
    with pytest.raises(klayers.NoMatchError) as raised:
        klayers.layer("requests>=3", **place)
    error = raised.value
    assert (error.package, error.layer) == ("requests", "requests>=3")
    assert error.versions == [("2.32.5", 4), ("2.32.3", 3), ("2.31.0", 1)]
    with pytest.raises(klayers.UnknownPackageError):
        klayers.layer("reqeusts==1", **place)


def test_closed_client_raises_closed_error(server: Server) -> None:
    with klayers.Client(server.url) as client:
        assert client.latest(region="us-east-1", python="3.13")
    client.close()
    with pytest.raises(klayers.ClosedError):
        client.latest(region="us-east-1", python="3.13")


def test_offline_client_reads_disk_cache(
    server: Server, tmp_path: Path
) -> None:
    place: Any = {"region": "us-east-1", "python": "3.13"}
    offline = klayers.Client(server.url, cache_dir=tmp_path, offline=True)
    with pytest.raises(klayers.OfflineError) as raised:
        offline.latest(**place)
    assert raised.value.url.startswith(server.url)
    assert server.asked == []
    rows = klayers.Client(server.url, cache_dir=tmp_path).latest(**place)
    with pytest.warns(klayers.StaleAnswerWarning):
        assert offline.latest(**place) == rows
    assert len(server.asked) == 1


def test_layer_of_other_account_is_refused(server: Server) -> None:
    place: Any = {"region": "us-east-1", "python": "3.13"}
    ours = klayers.Client(server.url, accounts=["770693421928"])
    assert ours.latest_arn("requests", **place).account == "770693421928"
    with pytest.raises(klayers.AnswerError):
        klayers.Client(server.url, accounts=["123456789012"]).latest_arn("requests", **place)


def test_number_of_retries(serve: Callable[[Answer], Server]) -> None:
    server = serve(lambda request: respond(request, 503, "text/plain", ""))
    for retries in [0, 2]:
        client = klayers.Client(server.url, retries=retries, retry_delay=timedelta(milliseconds=1))
        before = len(server.asked)
        with pytest.raises(klayers.StatusError) as raised:
            client.latest(region="us-east-1", python="3.13")
        assert raised.value.status == 503
        assert len(server.asked) - before == retries + 1


def test_cached_arn_needs_no_request_in_any_form_of_call(server: Server) -> None:
    client = klayers.Client(server.url, assume_fresh=60)
    first = client.latest_arn("requests", region="us-east-1", python="3.13")
    again = client.latest_arn("requests", region="us-east-1", python="3.13")
    assert again == first
    assert client.latest_arn("requests", region="us-east-1", python="3.13") is again
    for arn in [
        client.latest_arn(klayers.PackageName("requests"), region="us-east-1", python="3.13"),
        client.latest_arn("requests", region=klayers.Region("us-east-1"), target="p3.13"),
        client.latest_arn("REQUESTS", region="us-east-1", target=klayers.Target("p3.13")),
        client.latest_arn("requests", region="us-east-1", python="3.13", arch="x86_64"),
    ]:
        assert arn == first
    assert len(server.asked) == 1
    arm = client.latest_arn("requests", region="us-east-1", python="3.13", arch="arm64")
    assert arm != first
    assert len(server.asked) == 2


def test_expired_arn_is_requested_again(server: Server) -> None:
    client = klayers.Client(server.url, assume_fresh=0.2)
    place: Any = {"region": "us-east-1", "python": "3.13"}
    arn = client.latest_arn("requests", **place)
    deadline = time.monotonic() + 30
    while len(server.asked) == 1 and time.monotonic() < deadline:
        assert client.latest_arn("requests", **place) == arn
    assert len(server.asked) == 2


def test_invalid_call_fails_despite_cached_arn(server: Server) -> None:
    client: Any = klayers.Client(server.url, assume_fresh=60)
    client.latest_arn("requests", region="us-east-1", python="3.13")
    client.latest_arn("requests", region="us-east-1", target="p3.13")
    for arguments in [
        {"region": "us-east-1\n3.13", "python": ""},
        {"region": "us-east-1", "python": "3.13", "arch": ""},
        {"region": "us-east-1", "python": "", "target": "p3.13"},
        {"region": "us-east-1", "python": "3.13", "target": "p3.13"},
        {"region": "us-east-1"},
    ]:
        with pytest.raises((klayers.InvalidValueError, TypeError)):
            client.latest_arn("requests", **arguments)
    assert len(server.asked) == 1


def test_default_client_follows_environment_variable(
    server: Server, serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    place: Any = {"region": "us-east-1", "python": "3.13"}
    klayers.latest_arn("requests", **place)
    other = serve(lambda request: respond(request, 418, "text/plain", ""))
    monkeypatch.setenv("KLAYERS_API_URL", other.url)
    with pytest.raises(klayers.StatusError) as raised:
        klayers.latest_arn("requests", **place)
    assert raised.value.status == 418
    monkeypatch.setenv("KLAYERS_API_URL", server.url)
    assert str(klayers.latest_arn("requests", **place)) == REQUESTS


def test_cache_dir_expands_home_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    klayers.Client(server.url, cache_dir="~/x").latest(region="us-east-1", python="3.13")
    klayers.Client(server.url, cache_dir=Path("~") / "y").latest(region="us-east-1", python="3.13")
    klayers.Client(server.url, cache_dir="./~z").latest(region="us-east-1", python="3.13")
    assert {path.name for path in tmp_path.iterdir()} == {"x", "y", "~z"}
    assert all(any(folder.iterdir()) for folder in tmp_path.iterdir())
    with pytest.raises(klayers.InvalidValueError, match="whole path"):
        klayers.Client(server.url, cache_dir="~nobody-of-this-name/x")
    with pytest.raises(TypeError):
        klayers.Client(server.url, cache_dir=3)  # type: ignore[arg-type]
