"""Failing servers, invalid answers, missing networks and hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from conftest import HERE, PACKAGES, Open

LATEST = "**/api/v2/p3.13/layers/latest/us-east-1"
REQUESTS = "**/api/v2/p3.13/layers/us-east-1/requests"
FAILED = "Failed to load resource"


def answering(pattern: str, **answer: object) -> Callable[[Page], None]:
    return lambda page: page.route(pattern, lambda route: route.fulfill(**answer))


def aborting(pattern: str) -> Callable[[Page], None]:
    return lambda page: page.route(pattern, lambda route: route.abort())


@pytest.mark.provokes(FAILED)
@pytest.mark.parametrize("pattern", ["**/api/v2/targets", LATEST])
def test_failed_list_can_be_retried(open_page: Open, pattern: str) -> None:
    page = open_page(f"/?{HERE}", aborting(pattern))
    expect(page.locator("#state")).to_contain_text("The server cannot be reached.")
    page.unroute(pattern)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#count")).to_have_text(f"{PACKAGES:,} packages")
    expect(page.locator("#state")).to_be_empty()


@pytest.mark.provokes(FAILED)
def test_arn_is_shown_even_if_the_contents_cannot_be_read(open_page: Open) -> None:
    page = open_page(f"/?{HERE}&package=requests", aborting(REQUESTS))
    expect(page.locator(".facts")).to_contain_text("Could not read the contents.")
    expect(page.locator("#arn")).to_contain_text(":Klayers-p313-requests:4")
    page.unroute(REQUESTS)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".contents")).to_contain_text("urllib3")


@pytest.mark.provokes(FAILED)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 503, "body": "{}"}, "The server answered with the status 503."),
        ({"body": "<html>a login</html>"}, "The answer is incomplete or not JSON."),
        ({"body": '[{"package": "requ'}, "The answer is incomplete or not JSON."),
        ({"body": '{"message": "no"}'}, "The answer does not come from this API"),
        ({"body": "null"}, "The answer does not come from this API"),
    ],
)
def test_invalid_answers_are_reported(
    open_page: Open, answer: dict[str, object], said: str
) -> None:
    page = open_page(f"/?{HERE}", answering(LATEST, **answer))
    expect(page.locator("#state")).to_contain_text(said)


def row(package: str, **changes: object) -> dict[str, object]:
    arn = f"arn:aws:lambda:us-east-1:000000000000:layer:Klayers-p313-{package}:1"
    return {"package": package, "arn": arn, "packageVersion": "1.0", **changes}


def test_invalid_rows_are_left_out_and_counted(open_page: Open) -> None:
    elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p313-elsewhere:1"
    rows = [
        row("right"),
        row("elsewhere", arn=elsewhere),
        row("not-an-arn", arn="javascript:alert(1)"),
        row("unversioned", packageVersion=None),
        {"package": "without-an-arn"},
        None,
        "text",
    ]
    page = open_page(f"/?{HERE}", answering(LATEST, json=rows))
    expect(page.locator("#count")).to_have_text("1 package")
    expect(page.locator("#notices")).to_have_text(
        "6 rows of the list could not be understood and were left out."
    )
    assert page.locator("#packages bdi:first-child").all_text_contents() == ["right"]


@pytest.mark.provokes(FAILED)
def test_stale_list_is_shown_with_its_time_if_the_server_fails(open_page: Open) -> None:
    page = open_page(f"/?{HERE}", lambda page: page.clock.install())
    expect(page.locator("#count")).to_have_text(f"{PACKAGES:,} packages")
    page.get_by_label("in the region").select_option("eu-west-1")
    expect(page.locator("#count")).to_have_text("5 packages")
    page.route(LATEST, lambda route: route.fulfill(status=500))
    page.clock.fast_forward("06:00")
    page.get_by_label("in the region").select_option("us-east-1")
    expect(page.locator("#notices")).to_contain_text(
        "The server answered with the status 500. This is the list of "
    )
    expect(page.locator("#count")).to_have_text(f"{PACKAGES:,} packages")
    page.unroute(LATEST)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notices")).to_be_empty()


@pytest.mark.provokes(FAILED)
def test_failed_list_is_loaded_when_the_network_is_back(open_page: Open) -> None:
    page = open_page(f"/?{HERE}")
    expect(page.locator("#count")).to_have_text(f"{PACKAGES:,} packages")
    page.context.set_offline(True)
    page.get_by_label("in the region").select_option("sa-east-1")
    expect(page.locator("#state")).to_contain_text("This device is offline.")
    page.context.set_offline(False)
    expect(page.locator("#count")).to_have_text("5 packages")


def test_late_answer_does_not_replace_a_newer_one(open_page: Open) -> None:
    held: list[Route] = []
    page = open_page(f"/?{HERE}", lambda page: page.route(LATEST, lambda route: held.append(route)))
    expect(page.get_by_text("Loading the packages …")).to_be_visible()
    page.get_by_label("in the region").select_option("eu-west-1")
    expect(page.locator("#count")).to_have_text("5 packages")
    [late] = held
    with page.expect_response(LATEST):
        late.continue_()
    page.wait_for_timeout(200)
    expect(page.locator("#count")).to_have_text("5 packages")


def test_typing_while_the_list_loads_does_not_report_missing_packages(open_page: Open) -> None:
    held: list[Route] = []
    page = open_page(
        f"/?{HERE}",
        lambda page: page.route("**/api/v2/targets", lambda route: held.append(route)),
    )
    page.get_by_label("and need the package").fill("pandas")
    expect(page.get_by_text("Loading the packages …")).to_be_visible()
    page.wait_for_timeout(500)
    [targets] = held
    targets.continue_()
    expect(page.locator("#count")).to_have_text(f"1 of {PACKAGES:,} packages")
    expect(page).to_have_url(re.compile("q=pandas"))


def test_arn_cannot_be_copied_while_another_region_loads(open_page: Open) -> None:
    held: list[Route] = []
    page = open_page(
        f"/?{HERE}&package=requests",
        lambda page: page.route("**/latest/eu-west-1", lambda route: held.append(route)),
    )
    expect(page.locator("#arn")).to_contain_text("us-east-1")
    page.get_by_label("in the region").select_option("eu-west-1")
    expect(page.locator("#detail")).to_have_js_property("inert", True)
    [latest] = held
    latest.continue_()
    expect(page.locator("#arn")).to_contain_text("eu-west-1")
    expect(page.locator("#detail")).to_have_js_property("inert", False)


def test_hostile_texts_of_packages_are_shown_as_plain_text(open_page: Open) -> None:
    page = open_page(f"/?{HERE}&package=odd-licence")
    detail = page.locator("#detail")
    licence = detail.locator("dl div").nth(3)
    expect(licence).to_contain_text("<script>document.title='owned'</script>")
    assert len(licence.inner_text()) < 100
    licence.get_by_role("button", name="Show all").click()
    shown = licence.locator("bdi").text_content() or ""
    assert len(shown) > 10_000
    # Characters that change the writing direction are shown and have no effect.
    assert "\\u202etxet lautca\\u202c" in shown and "\u202e" not in shown
    box = licence.locator(".clamped").bounding_box()
    assert box and box["height"] < 300
    licence.get_by_role("button", name="Show less").click()
    assert len(licence.inner_text()) < 100
    expect(detail.locator(".withdrawn")).to_contain_text("withdrawn: <script>")
    assert page.locator("#detail :is(script, img, h1)").count() == 0
    assert "owned" not in page.title()


# The HTML list of the API has no icon.
@pytest.mark.provokes("404 (Not Found)")
def test_page_without_javascript_links_the_lists(open_page: Open) -> None:
    for path in ["/", "/packages/requests"]:
        page = open_page(path, java_script_enabled=False)
        # Playwright finds elements in <noscript>, but no texts.
        words = page.locator("noscript p").first
        expect(words).to_be_visible()
        assert (words.text_content() or "").startswith("This page needs JavaScript.")
        expect(page.locator("main")).to_be_hidden()
    page = open_page("/", java_script_enabled=False)
    page.locator("noscript a").first.click()
    expect(page.get_by_role("cell", name="requests", exact=True)).to_be_visible()


def test_page_works_without_storage(open_page: Open) -> None:
    def prepare(page: Page) -> None:
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })"
        )

    page = open_page(f"/?{HERE}", prepare)
    page.get_by_label("I run Python").select_option("3.12")
    expect(page.locator("#count")).to_have_text("5 packages")


@pytest.mark.parametrize("kept", ["", "null", "[1]", '{"region": 1, "python": "../", "arch": "<b>"}'])
def test_invalid_storage_is_ignored(open_page: Open, kept: str) -> None:
    def prepare(page: Page) -> None:
        page.add_init_script(f"localStorage.setItem('klayers.choice', {kept!r})")

    page = open_page("/", prepare)
    expect(page.locator("#count")).to_have_text(f"{PACKAGES:,} packages")
