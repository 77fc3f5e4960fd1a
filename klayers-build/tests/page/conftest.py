"""A browser, and the pages of the catalog that the program `catalog_fixture` creates.

KLAYERS_CHROMIUM names another Chromium. Without one the tests are skipped, unless CI is set.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).parents[3]
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
#: The number of packages in the list of Python 3.13 on x86_64 in us-east-1.
PACKAGES = 100
HERE = "region=us-east-1&python=3.13&arch=x86_64"

# The machine may be busy.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def chromium() -> str:
    for name in [os.environ.get("KLAYERS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]:
        if name and (path := shutil.which(name)):
            return path
    reason = "there is no Chromium: run make setup-browser as root, or name it in KLAYERS_CHROMIUM"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a klayers.toml and a catalog."""
    folder = tmp_path_factory.mktemp("collection")
    fixture = BUILT / "catalog_fixture"
    # The fixture adds five packages with a history and a hostile one.
    subprocess.run([fixture, folder / "klayers.db", str(PACKAGES - 6)], check=True)
    (folder / "klayers.toml").write_text('config_dir = "config"\n')
    return folder


@pytest.fixture(scope="session")
def site(collection: Path) -> Iterator[str]:
    """The address of a running server."""
    command = [BUILT / "klayers-pipeline", "serve", "--config", collection / "klayers.toml"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().strip().removeprefix("listening on ")
            assert address.startswith("http://"), "the server did not start"
            yield address
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def exported(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx with a static copy of the same site and the example configuration."""
    nginx = next(filter(shutil.which, ["nginx", "/usr/sbin/nginx"]), None)
    if not nginx:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    work = tmp_path_factory.mktemp("nginx")
    command = [BUILT / "klayers-pipeline", "export", "--config", collection / "klayers.toml"]
    subprocess.run([*command, "--out", work / "site"], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = (ROOT / "examples/nginx/klayers.conf").read_text()
    server = server.replace("127.0.0.1:8081", f"127.0.0.1:{port}")
    server = server.replace("/srv/klayers/current", str(work / "site/current"))
    folders = "\n".join(
        f"{name}_temp_path {work}/{name};"
        for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    (work / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {work}/pid; error_log {work}/error.log;\n"
        f"events {{ }}\nhttp {{ access_log off;\n{folders}\n{server}\n}}\n"
    )
    started = [nginx, "-c", work / "nginx.conf", "-p", work, "-e", work / "error.log"]
    with subprocess.Popen(started) as running:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            running.kill()


@pytest.fixture(params=["site", "exported"])
def anywhere(request: pytest.FixtureRequest) -> str:
    """Runs a test with the server, and then with the static copy."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    # Chromium's sandbox does not work for root. The tests show only our own pages.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a path in a new browser context. The options are those of the context.

    The test fails if the console had messages. A test that expects messages, for example of a failed
    request, declares them with the marker `provokes`.
    """
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def open_it(path: str, prepare: Callable[[Page], None] | None = None, **options: object) -> Page:
        context = browser.new_context(base_url=site, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        if prepare:
            prepare(page)
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    provoked = request.node.get_closest_marker("provokes")
    allowed = provoked.args[0] if provoked else None
    assert [words for words in said if not (allowed and allowed in words)] == []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "provokes(text): messages with this text are expected")
