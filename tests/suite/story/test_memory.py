"""What a deployment says of itself: a list that goes against it is a failure, one that goes against our guess is a note."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, plainly
from tests.suite.market import BEN, create, job, market, staged
from tests.suite.story.test_stage import see

from tasktwin.provider import Provider, load
from tasktwin.suite.story.step import Step

LISTED = "    order: -created_at\n"
MARK = '    provenance: "assumed: all jobs"\n'
ROLES = "    roles:\n      owner:"
OWN = f"{ROLES} =>     visible: {{owner: $principal#/user}}\n{ROLES}"
OWN_LISTED = f"{LISTED} => {LISTED}    where: {{owner: $principal#/user}}\n"


@cache
def guessed() -> Provider:
    """A market whose list is a guess."""
    return load(market(Path(mkdtemp()), provider=f"{LISTED} => {LISTED}{MARK}"))


def listing(change: Any, *, filtered: bool | None = None) -> Fault:
    """Lists whose rows were changed; only the filtered ones, or only the others."""

    async def fault(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        is_list = asked.method == "GET" and asked.path == "/jobs"
        if not is_list or (filtered is not None and filtered != ("state=" in asked.query)):
            return status, body, head
        page = json.loads(body)
        page["items"] = change(page["items"])
        return status, json.dumps(page).encode(), [(name, value) for name, value in head if name != b"content-length"]

    return fault


def told(fault: Fault, *steps: Step, **changed: Any) -> set[tuple[str, str, str]]:
    with staged(fault, **changed) as stage:
        stage.theatre.alike = True
        found = [each for step in steps for each in stage.take(step).found]
    return {(each.rule, each.basis.kind, each.basis.severity) for each in found if each.rule.startswith("list")}


def without_mine(rows: list[Any]) -> list[Any]:
    return [row for row in rows if row["title"] != "Dig"]


FILTERED = (create(), see(2), see(3, query={"state": "open"}))


@pytest.mark.parametrize(
    ("fault", "steps", "found"),
    [
        (plainly, FILTERED, set()),
        (listing(without_mine, filtered=True), FILTERED, {("list.lacks", "itself", "failure")}),
        (listing(without_mine), (create(), see(2)), {("list.lacks", "assumed", "note")}),
        (listing(lambda rows: [*rows, rows[0]]), (create(), see(2)), {("list.extra", "itself", "failure")}),
    ],
    ids=["good", "lost by the filter", "not listed at all", "twice"],
)
def test_what_a_list_goes_against(fault: Fault, steps: tuple[Step, ...], found: set[Any]) -> None:
    assert told(fault, *steps, by=guessed()) == found


def test_what_the_pages_say_of_a_list_weighs_more_than_a_guess() -> None:
    assert told(listing(without_mine), create(), see(2)) == {("list.lacks", "stated", "failure")}


def test_a_row_that_a_filter_was_to_leave_out_goes_against_the_request() -> None:
    async def unfiltered(asked: Asked, twin: Twin) -> Answer:
        return await twin(replace(asked, query=""))

    steps = (create(), job(2, "startJob", BEN), see(3, query={"state": "done"}))
    assert told(unfiltered, *steps, by=guessed()) == {("list.extra", "itself", "failure")}


def test_a_row_that_its_reader_may_not_have_is_anothers(tmp_path: Path) -> None:
    judge = load(market(tmp_path, provider=OWN, more=OWN_LISTED))
    assert told(plainly, create(who=BEN), see(2), by=judge) == {("list.extra", "standard", "failure")}
