"""Findings: one for each cause, by the shortest story; what is known is counted and not told."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasktwin.suite.finding import Basis, Finding, Findings, Line, Severity, as_json
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import dumps

STATED, ASSUMED = Basis("stated", "Only the owner.", "https://jobs.example/docs"), Basis("assumed", "we think so")
LINE = Line(Request("GET", "/jobs/1", "ann", operation="getJob"), Reply(200, {}, b'{"id": 1}'), "look")


def found(cause: str = "c", basis: Basis = STATED, steps: int = 2) -> Finding:
    return Finding("rule", "getJob", "It is wrong", "a", "b", basis, cause, "lifecycle", (LINE,) * steps)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [("stated", "failure"), ("observed", "failure"), ("itself", "failure"), ("standard", "failure"), ("assumed", "note")],
)  # fmt: skip
def test_what_only_we_assume_fails_no_run(kind: str, severity: Severity) -> None:
    findings = Findings()
    findings.add(found(basis=Basis(kind, "text")))  # type: ignore[arg-type]
    assert [each.severity for each in findings] == [severity]
    assert findings.failures == (severity == "failure")


def test_what_was_seen_once_and_never_again_fails_no_run() -> None:
    assert replace(found(), severity_override="note").severity == "note"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9))))
def test_each_cause_is_one_finding_told_by_its_shortest_story(seen: list[tuple[str, int]]) -> None:
    findings = Findings()
    new = [findings.add(found(cause, steps=steps)) for cause, steps in seen]
    assert sum(new) == len(findings) == len({cause for cause, _ in seen})
    for each in findings:
        lengths = [steps for cause, steps in seen if cause == each.cause]
        assert (len(each.story), each.times) == (min(lengths), len(lengths))


def test_the_time_of_a_finding_is_when_it_was_first_found() -> None:
    findings = Findings()
    for seconds, steps in ((1.0, 5), (9.0, 2)):
        findings.add(replace(found(steps=steps), seconds=seconds))
    assert [each.seconds for each in findings] == [1.0]


def test_what_is_accepted_is_counted_and_not_told() -> None:
    findings = Findings(frozenset({"old"}))
    assert not findings.pending(found("old"))
    assert not findings.add(found("old"))
    assert findings.add(found("new"))
    assert [each.cause for each in findings] == ["new"]
    assert findings.accepted == {"old": 2}
    assert findings.has("old")


def test_failures_come_first_each_in_the_order_of_their_finding() -> None:
    findings = Findings()
    for cause, basis in (("a", ASSUMED), ("b", STATED), ("c", ASSUMED), ("d", STATED)):
        findings.add(found(cause, basis))
    assert [each.cause for each in findings] == ["b", "d", "a", "c"]


def test_a_finding_as_json_tells_all_of_it() -> None:
    told = json.loads(dumps(as_json(replace(found(steps=1), seconds=1.26))))
    assert told["contradicts"] == {"kind": "stated", "text": "Only the owner.", "url": "https://jobs.example/docs"}
    assert (told["severity"], told["cause"], told["times"], told["seconds"]) == ("failure", "c", 1, 1.3)
    assert told["story"] == [
        {"as": "ann", "operation": "getJob", "method": "GET", "path": "/jobs/1", "body": "", "status": 200, "answer": '{"id": 1}', "about": "look"}
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * 1_000_000], ids=["no UTF-8", "long"])
def test_a_finding_with_any_answer_can_be_written(body: bytes) -> None:
    line = Line(Request("POST", "/", body=body[:9]), Reply(200, {}, body))
    assert len(dumps(as_json(replace(found(), story=(line,))))) < 10_000
