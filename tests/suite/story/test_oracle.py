"""The oracle: what a deployment should answer, in a world that nobody else sees."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.suite.market import ANN, BEN, LIMITS, NOON, ask, good, market, oracle

from tasktwin.provider import bundled, load
from tasktwin.suite.story.oracle import Answer, Oracle
from tasktwin.suite.traffic import Request

DAY = 86_400_000_000
ASKS = [
    ask("GET", "/jobs"), ask("GET", "/jobs/j1"), ask("POST", "/jobs", body={"title": "Dig", "hours": 3}),
    ask("POST", "/jobs/j1/start", BEN), ask("POST", "/jobs/j2/finish"), ask("DELETE", "/jobs/j3", BEN), ask("PATCH", "/jobs/j1", body={"title": "Paint"}),
]  # fmt: skip


def row(answer: Answer) -> str:
    assert isinstance(answer.shape, dict)
    return str(answer.shape["id"])


@pytest.mark.parametrize(
    ("request_", "status", "kind", "taken"),
    [
        (ask("GET", "/jobs/j1"), 200, "", ()),
        (ask("POST", "/jobs", body={"title": "Dig"}), 201, "", (("job", "create"),)),
        (ask("POST", "/jobs/j1/start", BEN), 200, "", (("job", "start"),)),
        (ask("POST", "/jobs/j1/start", ANN), 403, "forbidden", ()),
        (ask("POST", "/jobs/j1/finish", ANN), 409, "wrong_state", ()),
        (ask("GET", "/jobs/none"), 404, "not_found", ()),
        (ask("GET", "/jobs", ""), 401, "not_authenticated", ()),
        (ask("GET", "/jobs", "ann with a wrong Authorization"), 401, "bad_credential", ()),
        (ask("GET", "/jobs", "ann without Authorization"), 401, "not_authenticated", ()),
        (ask("GET", "/nowhere"), 404, "", ()),
        (Request("POST", "/jobs", ANN, {"content-type": "application/json"}, b"{"), 400, "malformed", ()),
    ],
    ids=[
        "read",
        "create",
        "start",
        "not theirs",
        "not now",
        "not there",
        "nobody",
        "wrong",
        "half",
        "no path",
        "no JSON",
    ],
)
def test_the_oracle_says_what_comes_of_a_request(request_: Request, status: int, kind: str, taken: object) -> None:
    answer = oracle().answer(request_)
    assert (answer.status, answer.taken) == (status, taken)
    assert answer.kind == kind or not kind
    assert answer.good is (status < 300)


def test_what_happened_stays_and_what_was_tried_does_not() -> None:
    one = oracle()
    with one.trying():
        assert one.answer(ask("POST", "/jobs/j1/start", BEN)).good
        one.until(NOON + DAY)
    assert one.now == NOON
    assert one.answer(ask("GET", "/jobs/j1")).shape["state"] == "open"
    one.answer(ask("POST", "/jobs/j1/start", BEN))
    assert one.answer(ask("GET", "/jobs/j1")).shape["state"] == "running"


@given(st.lists(st.sampled_from(ASKS), max_size=5), st.lists(st.sampled_from(ASKS), max_size=5))
@settings(max_examples=20, deadline=None)
def test_nothing_of_what_was_tried_is_left(tried: list[Request], done: list[Request]) -> None:
    one, other = oracle(), oracle()
    with one.trying():
        for each in tried:
            one.answer(each)
    assert [one.answer(each) for each in done] == [other.answer(each) for each in done]


@given(st.lists(st.sampled_from(ASKS), max_size=6))
@settings(max_examples=15, deadline=None)
def test_the_same_requests_have_the_same_answers(asked: list[Request]) -> None:
    one, other = oracle(), oracle()
    assert [one.answer(each) for each in asked] == [other.answer(each) for each in asked]


def test_time_passes_only_forward_and_timers_go_off() -> None:
    one = oracle()
    assert one.next_due() is not None
    fired = one.until(NOON + 4 * DAY)
    assert {each.transition for each in fired} == {"lapse"}
    one.until(NOON)
    assert one.now == NOON + 4 * DAY
    assert one.answer(ask("GET", "/jobs/j1")).shape["state"] == "lapsed"


def test_a_stream_tells_what_it_has_and_then_what_happens() -> None:
    one = oracle()
    told = one.answer(ask("GET", "/jobs/j1/events"))
    answer, reader = one.listen(ask("GET", "/jobs/j1/events"))
    assert answer.good
    assert reader is not None
    before = len(reader.take())
    one.answer(ask("POST", "/jobs/j1/start", BEN))
    assert [each.event for each in reader.take() if each.data is not None] == ["change"]
    assert len(told.events) <= before + 1


def test_limits_refuse_nobody(tmp_path: object) -> None:
    provider = load(market(tmp_path, provider=f"collections:\n => {LIMITS}collections:\n"))  # type: ignore[arg-type]
    one = Oracle(provider, NOON)
    assert {one.answer(ask("GET", "/jobs")).status for _ in range(9)} == {200}


def test_what_is_larger_than_may_be_is_refused_as_it_would_be() -> None:
    body = b'{"title": "' + b"x" * (good().rules.limit + 1) + b'"}'
    assert oracle().answer(replace(ask("POST", "/jobs", body={}), body=body)).status == 413


def test_a_row_is_known_as_it_is_kept() -> None:
    one = oracle()
    made = row(one.answer(ask("POST", "/jobs", body={"title": "Dig"})))
    found = one.row("job", made)
    assert found is not None
    assert (found["owner"], one.row("job", "none")) == ("ann", None)


@pytest.mark.parametrize("provider", bundled())
def test_every_bundled_provider_has_an_oracle_that_begins_like_another(provider: str) -> None:
    loaded = load(provider)
    path = loaded.rules.contract.prefix + next(
        each.path for each in loaded.rules.contract.operations.values() if each.method == "GET"
    )
    who = next(iter(loaded.rules.principals))
    assert Oracle(loaded, NOON, 3).answer(Request("GET", path, who)) == Oracle(loaded, NOON, 3).answer(
        Request("GET", path, who)
    )
