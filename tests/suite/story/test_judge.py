"""What a difference means: its rule, whether it fails the run, and what it contradicts."""

from pathlib import Path
from typing import Any

import pytest
from tests.suite.market import BEN, NOON, good, job, market, oracle

from tasktwin.provider import load
from tasktwin.suite.finding import Basis
from tasktwin.suite.story.compare import Difference
from tasktwin.suite.story.judge import Judge, Mismatch, Whose, lighter, short, weighed
from tasktwin.suite.story.oracle import Answer, Oracle
from tasktwin.suite.story.step import Step
from tasktwin.suite.traffic import Reply
from tasktwin.wire import dumps

JUDGE = Judge(good())


def step(operation: str, who: str = "ann", key: str = "j1", **more: Any) -> Step:
    return Step(
        1, operation, who, {"job_id": key} if "{" in good().rules.contract.operations[operation].path else {}, **more
    )


def expected(one: Step) -> Answer:
    return oracle().answer(one.request(good().rules.contract, lambda ref: ref.pointer))


def reply(status: int, body: object = None, **more: Any) -> Reply:
    return Reply(status, {"content-type": "application/json"}, dumps(body or {}), **more)


def judged(one: Step, answered: Reply, whose: Whose = "another's") -> Mismatch | None:
    sent = one.request(good().rules.contract, lambda ref: ref.pointer)
    return JUDGE.status(one, expected(one), answered, sent, whose)


@pytest.mark.parametrize(
    ("one", "status", "rule", "severity", "words"),
    [
        (step("getJob"), 0, "server.silent", "failure", "is not answered"),
        (step("getJob"), 500, "server.error", "failure", "answers 500"),
        (step("getJob", key="none"), 502, "server.error", "failure", "answers 502"),
        (step("startJob", BEN), 409, "lifecycle.refused", "failure", "is refused where it is allowed"),
        (step("getJob"), 404, "answer.refused", "failure", "is refused where it is allowed"),
        (step("updateJob", body={"title": "x"}), 404, "answer.refused", "note", "is refused where it is allowed"),
        (step("finishJob", key="j1"), 200, "lifecycle.accepted", "failure", "is accepted in a state that does not allow it"),
        (step("finishJob", BEN, "j2"), 200, "access.object", "failure", "lets ben reach what is not theirs"),
        (step("getJob", key="none"), 200, "access.object", "failure", "lets ann reach"),
        (step("getJob", ""), 200, "access.sign-in", "failure", "lets in nobody without valid credentials"),
        (step("getJob", "ann with a wrong Authorization"), 200, "access.sign-in", "failure", "without valid credentials"),
        (step("createJob", body={"title": "!"}), 201, "request.accepted", "failure", "a request that breaks the contract"),
        (step("createJob", body={"title": "Paint"}), 201, "rule.accepted", "failure", "should be refused (twice)"),
        (step("createJob", body={"title": "Dig"}), 200, "answer.status", "failure", "answers 200 in place of 201"),
        (step("finishJob", key="j1"), 400, "answer.status", "failure", "answers 400 in place of 409"),
        (step("getJob", key="none"), 403, "answer.status", "note", "answers 403 in place of 404"),
    ],
    ids=["silent", "crash", "crash of a refusal", "transition refused", "look refused", "assumed operation refused", "wrong state",
         "another's", "not there", "nobody", "wrong key", "against the schema", "a rule", "status", "status of a refusal",
         "assumed status"],
)  # fmt: skip
def test_another_status_means(one: Step, status: int, rule: str, severity: str, words: str) -> None:
    found = judged(one, reply(status, cut=status == 0))
    assert found is not None
    assert (found.rule, found.basis.severity) == (rule, severity)
    assert words in found.title
    assert one.operation in found.cause
    assert found.basis.text
    assert str(expected(one).status) in found.expected or found.rule == "server.silent"


@pytest.mark.parametrize(
    ("one", "severity"),
    [(step("finishJob", BEN, "j2"), "failure"), (step("updateJob", BEN, body={"title": "x"}), "note")],
    ids=["the lifecycle is stated", "only we think so"],
)
def test_a_refusal_to_who_has_a_right_to_the_row_rests_on_what_says_so(one: Step, severity: str) -> None:
    found = judged(one, reply(200), "own")
    assert found is not None
    assert (found.rule, found.basis.severity) == ("access.object", severity)


HOURS = 'hours: {type: [integer, "null"], minimum: 1}'
GUESSED = HOURS[:-1] + ', x-provenance: "assumed: whole days"}'


@pytest.mark.parametrize(
    ("hours", "status", "expected"),
    [
        (0, 201, ("request.accepted", "note")),
        (1, 422, ("lifecycle.refused", "note")),
    ],
    ids=["accepted beyond", "refused within"],
)
def test_a_bound_that_we_assume_fails_no_run(
    tmp_path: Path, hours: int, status: int, expected: tuple[str, str]
) -> None:
    guessed = load(market(tmp_path, openapi=f"{HOURS} => {GUESSED}"))
    one = step("createJob", body={"title": "Bury", "hours": hours}, tries="/hours")
    asked = one.request(guessed.rules.contract, lambda ref: ref.pointer)
    found = Judge(guessed).status(one, Oracle(guessed, NOON).answer(asked), reply(status), asked)
    assert found is not None
    assert (found.rule, found.basis.severity) == expected


@pytest.mark.parametrize(
    ("one", "status"),
    [(step("getJob"), 200), (step("getJob", key="none"), 404), (step("startJob", "ann"), 403)],
    ids=["success", "not there", "not theirs"],
)
def test_the_status_that_is_expected_is_none_of_our_business(one: Step, status: int) -> None:
    assert judged(one, reply(status)) is None


def test_one_thing_has_one_cause_whatever_row_it_happens_to() -> None:
    first, second = (judged(step("finishJob", key="j1", about=about), reply(200)) for about in ("", "again"))
    assert first is not None
    assert second is not None
    assert first.cause == second.cause


@pytest.mark.parametrize(
    ("one", "body", "rule"),
    [
        (step("finishJob"), {"error": "wrong_state", "message": "any"}, None),
        (step("finishJob"), {"error": "other"}, None),
        (step("finishJob"), [], None),
    ],
    ids=["the same", "a kind that is told by its name", "another shape"],
)
def test_the_words_of_a_refusal_are_compared_where_the_data_name_them(
    one: Step, body: object, rule: str | None
) -> None:
    found = JUDGE.code(one, expected(one), body)
    assert (found.rule if found else None) == rule


def weigh(pointer: str, *, how: str = "value", echoed: bool = False, kept: object = ...) -> Mismatch:
    one = step("listJobs" if "items" in pointer else "startJob", BEN)
    return JUDGE.difference(one, expected(one), Difference(pointer, how, 1, 2), echoed=echoed, kept=kept)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "rule", "kind"),
    [
        (weigh("/title"), "answer.value", "stated"),
        (weigh("/hours"), "answer.value", "assumed"),
        (weigh("/state"), "answer.value", "stated"),
        (weigh("/hours", echoed=True), "itself.echo", "itself"),
        (weigh("/hours", kept=7), "itself.changed", "itself"),
        (weigh("/title", how="missing"), "answer.value", "stated"),
        (weigh("/items/*", how="missing"), "list.lacks", "stated"),
        (weigh("/items/3", how="extra"), "list.extra", "stated"),
        (weigh("/items", how="order"), "list.order", "stated"),
    ],
    ids=["value", "assumed value", "state", "echo", "kept", "lacks a member", "lacks a row", "a row too many", "order"],
)
def test_another_value_means(found: Mismatch, rule: str, kind: str) -> None:
    assert (found.rule, found.basis.kind, found.goes_on) == (rule, kind, True)


def test_what_it_said_before_is_what_is_expected_of_it() -> None:
    assert weigh("/title", kept="Paint").expected == "Paint, as it said before"


def test_a_state_rests_on_the_transition_that_leads_to_it() -> None:
    assert weigh("/state").basis.text.startswith("start: ")


def test_failures_come_before_notes_and_a_failure_can_be_made_a_note() -> None:
    heavy, light = weigh("/title"), weigh("/hours")
    assert weighed([light, heavy]) == [heavy, light]
    assert lighter(heavy, "who knows").basis == Basis("assumed", "who knows")


@pytest.mark.parametrize(
    "value", ["x" * 10_000, {"a": ["x" * 10_000]}, 7, None], ids=["text", "object", "number", "null"]
)
def test_values_are_told_in_a_few_words(value: object) -> None:
    assert len(short(value)) <= 160


def test_a_step_that_refers_to_another_is_judged_like_any() -> None:
    assert JUDGE.status(job(2, "getJob"), expected(step("getJob")), reply(200)) is None
