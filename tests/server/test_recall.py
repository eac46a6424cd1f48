"""A read that is asked again is answered from before only while nothing that decided it has changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasktwin import Twin, load

TASK = "10000000-0000-4000-8000-000000000009"
PATH = f"/api/v1/tasks/{TASK}"


@pytest.fixture
def twin() -> Twin:
    return Twin("uumit", now="2026-01-01T00:00:00Z", clock="frozen")


def seen(twin: Twin, who: str = "agent_otto") -> object:
    answer = twin.request("GET", PATH, as_=who)
    return answer.json()["data"] if answer.status == 200 else answer.status


def test_the_same_question_has_the_same_answer_and_is_recorded_each_time(twin: Twin) -> None:
    first, again = (twin.request("GET", PATH, as_="agent_ada") for _ in range(2))
    assert (first.status, first.content, first.headers) == (again.status, again.content, again.headers)
    entries = twin.journal.entries()
    assert [(each.operation, each.principal[:6]) for each in entries] == [("getTask", "agent:")] * 2


def test_the_envelope_tells_the_time_of_each_answer(twin: Twin) -> None:
    told = []
    for seconds in (0, 0, 1, 0, 59, 0):
        twin.advance(seconds)
        told.append(twin.request("GET", PATH, as_="agent_ada").json()["timestamp"])
    assert [each - told[0] for each in told] == [0, 0, 1, 1, 60, 60]


CHANGES: dict[str, Callable[[Twin], object]] = {
    "the row is updated": lambda twin: twin.request("PUT", PATH, json={"title": "Another"}, as_="agent_ada"),
    "the row is closed": lambda twin: twin.request("POST", f"{PATH}/close", as_="agent_ada"),
    "time expires it": lambda twin: twin.advance(hours=80),
    "the caller withdraws an application": lambda twin: twin.request(
        "DELETE", f"{PATH}/applications/30000000-0000-4000-8000-000000000003", as_="agent_otto"
    ),
    "the caller is no longer linked": lambda twin: twin.world.store.delete(
        "platform_user", "d0000000-0000-4000-8000-000000000002"
    ),
    "the row is gone": lambda twin: twin.world.store.delete("task", TASK),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_seen_at_once(twin: Twin, change: Callable[[Twin], object]) -> None:
    before = seen(twin)
    assert before == seen(twin)
    change(twin)
    assert seen(twin) != before


def test_after_a_reset_the_beginning_is_seen_again(twin: Twin) -> None:
    before = seen(twin)
    twin.request("POST", f"{PATH}/close", as_="agent_ada")
    assert seen(twin) != before
    twin.reset()
    assert seen(twin) == before


def test_another_caller_in_the_same_words_gets_an_answer_of_their_own(twin: Twin) -> None:
    assert isinstance(seen(twin, "agent_ada"), dict)
    assert seen(twin, "human_alice") == 404
    assert twin.request("GET", PATH).status == 401


NEVER = {
    "the time": ("getCapability: {verb: read,", "getCapability: {where: {created_at: {not: $now}}, verb: read,"),
    "the page's time": ("page_size: $page#/size", "page_size: $page#/size, at: $now"),
}


@pytest.mark.parametrize(("old", "new"), NEVER.values(), ids=NEVER)
def test_what_tells_the_time_is_never_answered_from_before(tmp_path: Path, old: str, new: str) -> None:
    folder = tmp_path / "uumit"
    shutil.copytree(load("uumit").folder, folder)
    data = folder / "provider.yaml"
    text = data.read_text(encoding="utf-8")
    assert old in text
    data.write_text(text.replace(old, new), encoding="utf-8")
    assert load("uumit").rules.bindings["getCapability"].sees is not None
    assert load(str(folder)).rules.bindings["getCapability"].sees is None
