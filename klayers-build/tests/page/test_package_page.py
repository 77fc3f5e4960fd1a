"""The page of one package: all its versions over time."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from conftest import Open


def test_all_versions_are_listed_newest_first(open_page: Open) -> None:
    page = open_page("/packages/REQUESTS")
    expect(page.get_by_role("heading", level=1)).to_have_text("requests")
    expect(page.locator(".byline")).to_have_text(
        "4 versions since 1 Mar 2026 · 80 layer versions in 5 regions"
    )
    assert page.title() == "requests: Klayers"
    releases = page.locator(".releases > li")
    assert [re.sub(r"\s+", " ", text) for text in releases.locator("h3").all_inner_texts()] == [
        "2.32.5 latest",
        "2.32.4",
        "2.32.3",
        "2.31.0",
    ]
    assert releases.locator(".when").all_inner_texts() == [
        "31 Aug 2026",
        "1 Jul 2026",
        "1 May 2026",
        "1 Mar 2026",
    ]
    assert releases.nth(1).locator("summary").all_inner_texts() == [
        f"Python {target} · expires 31 Aug 2027 · 5 regions"
        for target in ["3.13 x86_64", "3.13 arm64", "3.12 x86_64", "3.12 arm64"]
    ]
    strips = page.locator(".strata .strip:not(.axis)")
    expect(strips).to_have_count(4)
    assert strips.first.locator(".bar").all_inner_texts() == ["2.31.0", "2.32.3", "2.32.4", "2.32.5"]


def test_arns_of_a_version_open_and_are_copied(open_page: Open) -> None:
    page = open_page("/packages/requests", permissions=["clipboard-read", "clipboard-write"])
    target = page.locator(".releases > li").nth(1).locator("details").nth(1)
    assert target.locator("code").count() == 0
    target.locator("summary").click()
    expect(target.locator("code")).to_have_count(5)
    target.get_by_role("button", name="Copy the ARN in eu-west-1, layer version 3").click()
    expect(page.locator("#announcer")).to_have_text("ARN in eu-west-1 copied")
    assert page.evaluate("navigator.clipboard.readText()") == (
        "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p313-arm64-requests:3"
    )


def test_filters_by_runtime_and_region_are_kept_in_the_address(open_page: Open) -> None:
    page = open_page("/packages/requests")
    page.get_by_label("in", exact=True).select_option("eu-west-1")
    page.get_by_label("Listed:").select_option("p3.12-arm64")
    expect(page).to_have_url(re.compile(r"/packages/requests\?target=p3\.12-arm64&region=eu-west-1$"))
    expect(page.locator("#announcer")).to_have_text("4 layer versions")
    assert page.locator(".releases code").all_inner_texts() == [
        f"arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-arm64-requests:{number}"
        for number in [4, 3, 2, 1]
    ]
    page.reload()
    expect(page.locator(".releases code")).to_have_count(4)
    page.go_back()
    expect(page.get_by_label("Listed:")).to_have_value("")
    expect(page.locator(".releases code")).to_have_count(16)


def test_link_to_the_catalogue_keeps_the_region_chosen_there(open_page: Open) -> None:
    page = open_page("/?region=eu-west-1&python=3.13&arch=x86_64&package=pandas")
    page.get_by_role("link", name="All versions in all regions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("pandas")
    page.get_by_role("link", name="3.0.0 for Python 3.12 on arm64").click()
    expect(page.locator("#arn")).to_have_text(
        "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-arm64-pandas:3"
    )


def test_yanked_version_shows_its_reason(open_page: Open) -> None:
    page = open_page("/packages/odd-licence")
    withdrawn = page.locator(".releases .withdrawn")
    expect(withdrawn).to_contain_text("Withdrawn: <script>")
    assert page.locator("#package :is(img, script)").count() == 0


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/packages/nothing-is-called-so", "There is no layer of nothing-is-called-so."),
        ("/packages/%3Cb%3E", "The address names no package."),
        ("/packages/%E0%A4%A", "The address names no package."),
        ("/packages/", "The address names no package."),
    ],
)
def test_unknown_package_is_reported(open_page: Open, path: str, said: str) -> None:
    # A server may refuse malformed paths, but the script must handle them.
    page = open_page(
        "/packages/x",
        lambda page: page.add_init_script(
            f"if (location.pathname === '/packages/x') history.replaceState(null, '', '{path}')"
        ),
    )
    expect(page.locator(".notice")).to_contain_text(said)
    page.get_by_role("link", name="To the catalogue").click()
    expect(page.locator("#packages li").first).to_be_visible()


@pytest.mark.provokes("Failed to load resource")
def test_failed_list_can_be_retried(open_page: Open) -> None:
    path = "**/api/v2/packages/requests"
    page = open_page(
        "/packages/requests", lambda page: page.route(path, lambda route: route.abort())
    )
    expect(page.locator(".notice")).to_contain_text("The server cannot be reached.")
    page.unroute(path)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".releases > li")).to_have_count(4)
