"""From a first sight to a finding: seen again, and by the shortest story."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin
from tests.suite.market import BEN, create, job, theatre
from tests.suite.story.test_stage import changing

from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Findings
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.pursue import pursue, report_seen_twice, without
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Ref, Step

CHANGED = changing("/start", "POST", state="open")
STORY = (create(), create(2, BEN, title="Sweep up"), job(3, "getJob"), job(4, "getJob", BEN), job(5, "startJob", BEN))


@st.composite
def stories(draw: Any) -> list[Step]:
    """Steps that refer to earlier ones."""
    found: list[Step] = []
    for key in range(1, draw(st.integers(1, 8)) + 1):
        body = [Ref(draw(st.integers(1, key - 1)), "/id") for _ in range(draw(st.integers(0, 2)))] if key > 1 else None
        found.append(Step(key, "createJob", "ann", body=body))
    return found


@given(stories(), st.data())
def test_a_story_without_a_step_refers_to_none_that_is_gone(story: list[Step], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(story))
    left = without(story, gone)
    keys = [each.key for each in left]
    assert gone not in left
    assert all(each.refs() <= set(keys) for each in left)
    assert left == [each for each in story if each.key in keys]
    lost = [each for each in story if each not in left]
    assert all(each is gone or each.refs() & {one.key for one in lost} for each in lost)


def go(house: Theatre, *steps: Step) -> None:
    """Play a story, and pursue what is wrong with its steps."""
    with house.stage() as stage:
        for step in steps:
            taken = stage.take(step)
            for each in taken.found:
                pursue(house, stage, taken, each)


def test_what_is_wrong_is_told_by_the_shortest_story() -> None:
    with theatre(CHANGED) as house:
        go(house, *STORY)
        found = list(house.run.findings)
    assert [each.rule for each in found] == ["answer.value"]
    assert [line.request.operation for line in found[0].story] == ["createJob", "startJob"]
    assert found[0].severity == "failure"


def test_the_same_again_is_one_finding_and_not_pursued_again() -> None:
    with theatre(CHANGED) as house:
        go(house, *STORY)
        sent = house.run.target.sent
        go(house, *STORY)
        assert house.run.target.sent == sent + len(STORY)
        assert [each.times for each in house.run.findings] == [2]


def test_what_is_accepted_is_not_pursued() -> None:
    with theatre(CHANGED) as house:
        house.run.findings = Findings(frozenset({"answer.value:startJob:/state"}))
        go(house, *STORY)
        assert house.run.target.sent == len(STORY)
        assert list(house.run.findings) == []
        assert house.run.findings.accepted == {"answer.value:startJob:/state": 1}


def test_what_was_seen_once_and_not_again_is_a_note() -> None:
    times: list[int] = []

    async def once(asked: Asked, twin: Twin) -> Answer:
        if asked.path.endswith("/start"):
            times.append(1)
        return await (CHANGED(asked, twin) if len(times) == 1 else twin(asked))

    with theatre(once) as house:
        go(house, *STORY)
        found = list(house.run.findings)
    assert [(each.severity, each.title[-22:]) for each in found] == [("note", "(seen once, not again)")]


def after_ben() -> Fault:
    """Whoever starts a job after ben has made one is told the wrong state."""
    worlds: set[str] = set()

    async def second(asked: Asked, twin: Twin) -> Answer:
        if asked.method == "POST" and asked.path == "/jobs" and "ben-token" in asked.caller:
            worlds.add(asked.world)
        return await (CHANGED(asked, twin) if asked.world in worlds else twin(asked))

    return second


def test_a_fault_that_needs_another_callers_step_keeps_it_in_its_story() -> None:
    with theatre(after_ben()) as house:
        go(house, *STORY)
        found = list(house.run.findings)
    assert [[line.request.operation for line in each.story] for each in found] == [
        ["createJob", "createJob", "startJob"]
    ]


@pytest.mark.parametrize(("more", "severity"), [(1, "note"), (6, "failure")], ids=["not seen again", "seen again"])
def test_what_was_seen_when_the_time_ran_out_is_told_for_what_it_is(more: int, severity: str) -> None:
    with theatre(after_ben()) as house:
        house.run.target.budget.requests = len(STORY) + more
        with pytest.raises(SpentError):
            go(house, *STORY)
        assert [each.severity for each in house.run.findings] == [severity]


def test_what_was_seen_once_is_a_failure_when_it_is_seen_once_more_at_last() -> None:
    with theatre(CHANGED) as house:
        house.run.target.budget.requests = len(STORY) + 1
        with pytest.raises(SpentError):
            go(house, *STORY)
        house.run.target.budget.requests = None
        go(house, *STORY)
        assert [each.severity for each in house.run.findings] == ["failure"]


def looks(times: list[int], wrong: set[int]) -> Any:
    """A story that shows something wrong when it is played for the n-th time."""

    def play(stage: Stage) -> list[tuple[Taken, Mismatch]]:
        times.append(1)
        taken = [stage.take(each) for each in (create(), job(2, "startJob", BEN))][-1]
        return [(taken, each) for each in taken.found] if len(times) in wrong else []

    return play


@pytest.mark.parametrize(
    ("wrong", "plays", "found"), [(set(), 1, 0), ({1}, 2, 0), ({1, 2}, 2, 1)], ids=["never", "once", "twice"]
)
def test_only_what_shows_twice_is_reported(wrong: set[int], plays: int, found: int) -> None:
    times: list[int] = []
    with theatre(CHANGED) as house:
        report_seen_twice(house, looks(times, wrong))
        assert (len(times), len(house.run.findings)) == (plays, found)


def test_what_was_not_looked_at_again_for_want_of_time_is_a_note() -> None:
    with theatre(CHANGED) as house:
        house.run.target.budget.requests = 3
        with pytest.raises(SpentError):
            report_seen_twice(house, looks([], {1, 2}))
        assert [each.severity for each in house.run.findings] == ["note"]
