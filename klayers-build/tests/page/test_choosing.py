"""Choosing a runtime, a region and a package: with a pointer, from a link, by keyboard, by history."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from conftest import HERE, PACKAGES, Open


def names(page: Page) -> list[str]:
    return page.locator("#packages bdi:first-child").all_text_contents()


def arn_of(site: str, package: str, region: str = "us-east-1", target: str = "p3.13") -> str:
    with urllib.request.urlopen(f"{site}/api/v2/{target}/layers/latest/{region}") as answer:
        [arn] = [row["arn"] for row in json.load(answer) if row["package"] == package]
    return arn


def ends_with(address: str) -> re.Pattern[str]:
    return re.compile(re.escape(address) + "$")


def loaded(page: Page) -> Page:
    expect(page.locator("#packages li").first).to_be_visible()
    return page


def test_default_view_lists_all_packages_of_the_newest_python(open_page: Open) -> None:
    page = open_page("/")
    expect(page.locator("#count")).to_have_text(f"{PACKAGES:,} packages")
    assert page.get_by_label("I run Python").input_value() == "3.13"
    assert page.get_by_label("on the architecture").input_value() == "x86_64"
    assert page.get_by_label("in the region").input_value() == "us-east-1"
    expect(page).to_have_url(ends_with(f"/?{HERE}&snippet=sam"))
    shown = names(page)
    assert len(shown) == PACKAGES and shown == sorted(shown, key=str.lower)


def test_choice_changes_list_and_address_and_is_remembered(
    open_page: Open, site: str
) -> None:
    page = loaded(open_page("/"))
    page.get_by_label("I run Python").select_option("3.12")
    page.get_by_label("on the architecture").select_option("arm64")
    page.get_by_label("in the region").select_option("eu-west-1")
    expect(page.locator("#count")).to_have_text("5 packages")
    expect(page).to_have_url(ends_with("region=eu-west-1&python=3.12&arch=arm64&snippet=sam"))
    page.get_by_role("link", name="pandas").click()
    expect(page.locator("#arn")).to_have_text(arn_of(site, "pandas", "eu-west-1", "p3.12-arm64"))
    page.get_by_role("tab", name="AWS CLI").click()

    later = page.context.new_page()
    later.goto("/")
    expect(later.locator("#count")).to_have_text("5 packages")
    expect(later).to_have_url(
        ends_with("region=eu-west-1&python=3.12&arch=arm64&snippet=cli")
    )


SPELLINGS = [
    ("requests", "requests"),
    ("PILLOW", "Pillow"),
    ("Scikit_Learn", "scikit-learn"),
    ("scikit.learn", "scikit-learn"),
    ("scikit  learn", "scikit-learn"),
    ("scikitlearn", "scikit-learn"),
    ("zope-interface", "zope.interface"),
    ("Zope.Interface", "zope.interface"),
    ("zope__", "zope.interface"),
    ("interface", "zope.interface"),
    ("requests[socks]>=2.32; python_version > '3'", "requests"),
    ("requests==2.32.5", "requests"),
    ("pand", "pandas"),
    ("andas", "pandas"),
]


def test_search_finds_a_package_in_any_spelling(open_page: Open) -> None:
    page = loaded(open_page(f"/?{HERE}"))
    for typed, first in SPELLINGS:
        page.get_by_label("and need the package").fill(typed)
        expect(page.locator("#packages bdi").first).to_have_text(first)
        page.keyboard.press("Enter")
        expect(page.locator("#detail h2")).to_have_text(first)
        page.keyboard.press("Escape")


def test_search_suggests_names_for_typing_errors(open_page: Open) -> None:
    page = open_page(f"/?{HERE}&q=reqeusts")
    expect(page.locator("#state")).to_have_text(
        "No package is called reqeusts. Did you mean requests?"
    )
    page.locator("#state a").click()
    expect(page.locator("#detail h2")).to_have_text("requests")
    expect(page.get_by_label("and need the package")).to_have_value("requests")
    page.get_by_label("and need the package").fill("nothing at all is called so")
    expect(page.locator("#state")).to_have_text(
        "No package is called nothing at all is called so."
    )


def test_details_of_a_layer_are_shown(open_page: Open, site: str) -> None:
    page = loaded(open_page(f"/?{HERE}&package=pandas"))
    detail = page.locator("#detail")
    expect(detail.locator("#arn")).to_have_text(arn_of(site, "pandas"))
    expect(detail.locator(".byline")).to_have_text(
        "version 3.0.0 · layer version 3 · published 1 Jul 2026"
    )
    figures = detail.locator("dl div")
    expect(figures.nth(0)).to_contain_text("12 MB")
    expect(figures.nth(0)).to_contain_text("35 MB unpacked, 13\u00a0% of what Lambda takes")
    expect(figures.nth(2)).to_have_text("ExpiresNot while latest")
    expect(figures.nth(3)).to_have_text("LicenceApache-2.0")
    assert detail.locator(".contents li").all_inner_texts() == [
        "numpy 2.3.4",
        "pandas 3.0.0",
        "python-dateutil 2.9.0.post0",
        "pytz 2025.2",
        "six 1.17.0",
    ]
    earlier = detail.locator("tbody tr")
    assert [row.split("\t")[:3] for row in earlier.all_inner_texts()] == [
        ["2.3.3", "2", "1 Jul 2027"],
        ["2.2.3", "1", "1 May 2027"],
    ]


@pytest.mark.parametrize(
    ("gate", "shown"),
    [
        (None, "Not recorded"),
        ("<b>", "Not recorded"),
        ({"imports": "passed", "warnings": []}, "Imports passed"),
        ({"imports": "not run"}, "Imports not tested"),
        ({"imports": "failed", "warnings": ["<i>one</i>", 2, "three"]}, "Imports failed2 warnings"),
    ],
)
def test_gate_report_is_shown(open_page: Open, gate: object, shown: str) -> None:
    def answer(route: object) -> None:
        response = route.fetch()  # type: ignore[attr-defined]
        rows = response.json()
        for row in rows:
            row.pop("gate", None)
            row.update({} if gate is None else {"gate": gate})
        route.fulfill(response=response, json=rows)  # type: ignore[attr-defined]

    page = open_page(
        f"/?{HERE}&package=pandas",
        lambda page: page.route("**/layers/us-east-1/pandas", answer),
    )
    figure = page.locator("#detail dl div").nth(1)
    expect(figure.locator("dd > :is(.gate), dd")).to_have_count(1 if shown == "Not recorded" else 2)
    summary = figure.locator("summary")
    if summary.count():
        summary.click()
        assert figure.locator("li").all_inner_texts() == ["<i>one</i>", "three"]
    words = figure.locator("dd").evaluate(
        "dd => [...dd.querySelectorAll('.gate, summary')].map(e => e.innerText).join('') || dd.innerText"
    )
    assert words == shown


def test_link_restores_the_view(open_page: Open) -> None:
    page = loaded(open_page("/"))
    page.get_by_label("I run Python").select_option("3.12")
    page.get_by_label("and need the package").fill("zope")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="CDK Python").click()
    expect(page.locator("#detail .earlier")).to_be_visible()
    expect(page).to_have_url(ends_with("q=zope&package=zope.interface&snippet=cdk-python"))

    other = open_page(page.url.split("/", 3)[3].join(["/", ""]))
    expect(other.locator("#detail .earlier")).to_be_visible()
    view = "document.querySelector('main').innerText + [...document.querySelectorAll('select, input')].map(e => e.value)"
    assert other.evaluate(view) == page.evaluate(view)
    assert other.url == page.url and other.title() == page.title()


def test_back_and_forward_restore_earlier_choices(open_page: Open) -> None:
    page = loaded(open_page(f"/?{HERE}"))
    heading = page.locator("#detail h2")
    page.get_by_role("link", name="pandas").click()
    expect(heading).to_have_text("pandas")
    page.get_by_role("link", name="requests").click()
    expect(heading).to_have_text("requests")
    page.get_by_label("in the region").select_option("sa-east-1")
    expect(page.locator("#arn")).to_contain_text("sa-east-1")
    page.go_back()
    expect(page.locator("#arn")).to_contain_text("us-east-1")
    expect(page.get_by_label("in the region")).to_have_value("us-east-1")
    page.go_back()
    expect(heading).to_have_text("pandas")
    page.go_back()
    expect(page.get_by_text("Choose a package.")).to_be_visible()
    page.go_forward()
    expect(heading).to_have_text("pandas")


def test_everything_works_with_the_keyboard(open_page: Open) -> None:
    page = loaded(open_page(f"/?{HERE}"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the packages")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("and need the package")).to_be_focused()
    page.keyboard.type("redis-")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#packages a").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("and need the package")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(page.locator("#packages a").last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    heading = page.locator("#detail h2")
    expect(heading).to_be_focused()
    expect(heading).to_have_text("redis-auth")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy ARN")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="AWS CLI")).to_be_focused()
    expect(page.locator("#snippet code")).to_contain_text("aws lambda")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="redis-auth")).to_be_focused()
    expect(page.locator("#detail h2")).to_have_count(0)


def test_list_is_a_single_tab_stop(open_page: Open) -> None:
    page = loaded(open_page(f"/?{HERE}&package=requests"))
    assert page.locator("#packages a[tabindex='0']").all_text_contents() == ["requests 2.32.5"]
    assert page.locator("#packages a[aria-current]").count() == 1


def test_number_of_results_is_announced(open_page: Open) -> None:
    page = loaded(open_page(f"/?{HERE}"))
    count = page.locator("#count")
    assert count.get_attribute("role") == "status"
    page.get_by_label("and need the package").fill("redis")
    expect(count).to_have_text(f"2 of {PACKAGES:,} packages")


def test_unavailable_choice_shows_an_empty_list(open_page: Open) -> None:
    page = open_page("/?region=eu-north-1&python=3.8&arch=arm64&package=requests")
    expect(page.locator("#state")).to_have_text(
        "There are no layers for Python 3.8 on arm64 in eu-north-1."
    )
    expect(page.get_by_label("in the region")).to_have_value("eu-north-1")
    expect(page.locator("#detail .notice")).to_have_text(
        "requests has no layer for Python 3.8 on arm64 in eu-north-1. See where it exists."
    )


def test_malformed_parts_of_a_link_are_ignored(open_page: Open) -> None:
    page = loaded(open_page("/?region=../x&python=<b>&arch=mips&package=%22%3E&snippet=x&other=1"))
    expect(page).to_have_url(ends_with(f"/?{HERE}&snippet=sam"))
    expect(page.get_by_text("Choose a package.")).to_be_visible()
