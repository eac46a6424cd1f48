"""report.html: read in a real browser, offline, whatever the deployment sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.browser import chromium
from tests.suite.report.small_run import ASSUMED, COMMAND, URL, finding, line, small_run

from tasktwin.suite.finding import Basis, Finding
from tasktwin.suite.report import account_of
from tasktwin.suite.report.html import as_html

EVIL = "</pre></details><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def page_of(*findings: Finding, cut: str = "") -> str:
    return as_html(account_of(small_run(*findings, cut=cut), command=COMMAND, url=URL))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def opened(browser: Browser, folder: Path, html: str, width: int) -> Page:
    (folder / "report.html").write_text(html, "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(f"file://{folder}/report.html")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    return page


@pytest.mark.parametrize("width", [1200, 360])
def test_the_browser_shows_everything_without_scrolling_sideways(browser: Browser, tmp_path: Path, width: int) -> None:
    wide = finding("x" * 900, story=(line("GET", "/" + "a" * 900, 200, answered={"a": "b" * 900}),))
    page = opened(browser, tmp_path, page_of(finding(), wide), width)
    text = page.inner_text("body")
    for wanted in (
        "2 failures, 0 notes: the deployment breaks its contract",
        COMMAND,
        "refused with 403 (code 40301)",
        "Only the poster may accept an application.",
        '"status": "accepted"',
        'curl -sS -X POST "$URL/accept"',
        "stream generation (it would take 300 s)",
        "the time is over",
        "application: 1 of 5 transitions seen",
        "task t9: deleteTask answered 409",
    ):
        assert wanted in text
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("[...document.images].every(each => each.complete && each.naturalWidth > 0)")


def test_hostile_texts_stay_texts(browser: Browser, tmp_path: Path) -> None:
    basis = Basis("itself", EVIL, f"javascript:{EVIL}")
    story = (line("GET", f"/{EVIL}", 200, {EVIL: EVIL}, {"a": EVIL}),)
    evil = finding(EVIL, expected=EVIL, actual=EVIL, basis=basis, cause=EVIL, story=story, script=EVIL, rule=EVIL)
    page = opened(browser, tmp_path, page_of(evil, cut=EVIL), 1200)
    assert page.title().startswith("failed: UUMit")
    assert page.locator("script").count() == 0
    assert page.locator("a").count() == 0
    assert page.inner_text("h1").startswith("1 failure")


def test_nothing_is_loaded_from_anywhere(browser: Browser, tmp_path: Path) -> None:
    asked: list[str] = []
    (tmp_path / "report.html").write_text(page_of(finding()), "utf-8")
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{tmp_path}/report.html")
    assert [url for url in asked if not url.startswith("data:")] == [f"file://{tmp_path}/report.html"]


def test_control_characters_are_shown_as_escapes() -> None:
    html = page_of(finding("\x1b[31mred\x00 \u202eright to left"))
    assert r"\x1b[31mred\x00 \u202eright to left" in html
    assert not {"\x1b", "\x00", "\u202e"} & set(html)


def test_a_vendors_page_is_linked() -> None:
    assert '<a href="https://uumit.com/en/docs/api/tasks/" rel="noopener noreferrer">' in page_of(finding())


def test_huge_findings_make_no_huge_page() -> None:
    huge = line("POST", "/", 200, "x" * 3_000_000, "y" * 3_000_000)
    told = finding(actual="z" * 3_000_000, story=(huge,) * 300, script="s" * 3_000_000)
    html = page_of(told)
    assert len(html) < 400_000
    assert "… 270 steps before these" in html


def test_a_thousand_findings_are_told_by_their_titles() -> None:
    html = page_of(*(finding(f"number {n}.", story=()) for n in range(1_000)))
    assert "800 more, told in full in report.json" in html
    assert "number 999." in html
    assert html.count('<details class="finding"') == 200


def test_notes_come_after_failures_and_say_that_they_fail_nothing() -> None:
    html = page_of(finding("assumed", basis=ASSUMED), finding("stated"))
    assert html.index('id="failures"') < html.index('id="notes"')
    assert "1 failure, 1 note: the deployment breaks its contract" in html
