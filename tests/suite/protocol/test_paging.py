"""Pages of a list, held against each other."""

import json
import re
from typing import Any

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, judged, plainly
from tests.suite.market import good_folder

from tasktwin.suite.protocol import paging
from tasktwin.suite.run import Run


def spoilt(spoil: Any) -> Fault:
    """Pages of the list of jobs that somebody changes before they are shown."""

    async def fault(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        if asked.path != "/jobs" or asked.method != "GET" or status != 200:
            return status, body, head
        page = json.loads(body)
        spoil(page, state)
        return status, json.dumps(page).encode(), [(name, value) for name, value in head if name != b"content-length"]

    state: dict[str, Any] = {}
    return fault


def repeats(page: Any, state: dict[str, Any]) -> None:
    """Each page begins with the last row of the one before."""
    last = page["items"][-1] if page["items"] else None
    if state.get("more") and page["items"]:
        page["items"][0] = state["last"]
    state["last"], state["more"] = last, page["more"]


def shrinks(page: Any, state: dict[str, Any]) -> None:
    state["n"] = state.get("n", 0) + 1
    page["total"] -= state["n"] % 3


def lies(page: Any, _state: dict[str, Any]) -> None:
    page["total"] += 1


def promises(page: Any, _state: dict[str, Any]) -> None:
    page["more"] = True


def denies(page: Any, _state: dict[str, Any]) -> None:
    page["more"] = False


def promises_after_all(page: Any, _state: dict[str, Any]) -> None:
    """The page that holds all rows says that there are more."""
    page["more"] |= len(page["items"]) > 2


def swells(page: Any, _state: dict[str, Any]) -> None:
    if page["items"]:
        page["items"].append({**page["items"][0], "id": "another"})


def run(fault: Fault) -> Run:
    with deployed(good_folder(), fault) as url:
        return judged(good_folder(), url, paging)


def test_a_good_list_is_read_page_by_page_and_nothing_is_found() -> None:
    one = run(plainly)
    assert one.units == ["protocol:pages of listJobs"]
    assert list(one.findings) == []
    pages = [each.request.path for each in one.target.traffic if "size=2" in each.request.path]
    assert pages[:3] == [f"/jobs?page={n}&size=2" for n in range(1, 4)]


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [(repeats, "paging.twice"), (shrinks, "paging.total"), (lies, "paging.total"), (promises, "paging.more"), (denies, "paging.more"), (swells, "paging.size"), (promises_after_all, "paging.more")],
    ids=["a row twice", "totals differ", "a wrong total", "promises more", "denies what follows", "too large", "promises more behind all"],
)  # fmt: skip
def test_pages_that_contradict_each_other_are_a_failure(spoil: Any, rule: str) -> None:
    found = [each for each in run(spoilt(spoil)).findings if each.rule.startswith("paging")]
    assert rule in [each.rule for each in found]
    assert {each.severity for each in found} == {"failure"}
    assert all("page=" in each.script for each in found)


def test_a_list_that_does_not_page_at_all_is_read_only_a_few_times() -> None:
    def whole(page: Any, state: dict[str, Any]) -> None:
        state.setdefault("first", page["items"])
        page["items"] = state["first"]
        page["more"] = True

    one = run(spoilt(whole))
    assert "paging.twice" in [each.rule for each in one.findings]
    assert one.target.sent < 60


LOGS = re.compile(r".*/session_logs/")


async def more_than_there_is(asked: Asked, twin: Twin) -> Answer:
    """Each part of a log that holds something says that more follows."""
    status, body, head = await twin(asked)
    if LOGS.fullmatch(asked.path) and body != b"[]":
        head = [(name, b"true" if name.lower() == b"x-has-more" else value) for name, value in head]
    return status, body, head


@pytest.mark.parametrize(
    ("fault", "rules"), [(plainly, []), (more_than_there_is, ["paging.more"])], ids=["true", "false"]
)
def test_a_part_of_a_log_that_tells_in_headers_what_follows_is_held_to_it(fault: Fault, rules: list[str]) -> None:
    with deployed("posthog", fault) as url:
        one = judged("posthog", url, paging, "getRunSessionLogs")
    assert one.units == ["protocol:pages of getRunSessionLogs"]
    assert {
        each.reply.headers.get("x-total-count") for each in one.target.traffic if "offset=4" in each.request.path
    } == {"5"}
    assert [each.rule for each in one.findings] == rules
    assert all("x-has-more: %header{x-has-more}" in each.script for each in one.findings)


def test_a_list_that_is_refused_is_others_business() -> None:
    async def refuses(asked: Asked, twin: Twin) -> Answer:
        if asked.path == "/jobs" and asked.method == "GET":
            return 403, b'{"error": "forbidden"}', [(b"content-type", b"application/json")]
        return await twin(asked)

    assert [each for each in run(refuses).findings if each.rule.startswith("paging")] == []
