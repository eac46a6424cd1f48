"""The judges on journals that are written here: what decides, what does not, and that nothing confuses them."""

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasktwin.exchange.twin import Twin
from tasktwin.provider import Provider, load
from tasktwin.server.control.clients import page
from tasktwin.server.referee import report
from tasktwin.server.referee.report import MOST_CLIENTS
from tasktwin.wire import Json, dumps

NOW = "2026-05-12T09:30:00Z"
SECOND = 1_000_000
AGENT = ("user-agent", "client/1")


@cache
def provider(name: str) -> Provider:
    """Loaded once for all tests."""
    return load(name)


def new(name: str = "uumit") -> Twin:
    return Twin(provider(name), now=NOW, clock="frozen")


def write(twin: Twin, seconds: float, status: int = 200, **more: Json) -> None:
    """An entry of one client so many seconds after the beginning."""
    given: dict[str, Json] = {
        "method": "GET",
        "path": "/api/v1/tasks/1",
        "operation": "getTask",
        "principal": "alice",
        "request_headers": (AGENT,),
        **more,
    }
    instant = twin.world.instant + round(seconds * SECOND)
    twin.world.journal.record(instant=instant, world="default", status=status, **given)


def verdict(twin: Twin, name: str) -> tuple[str, str]:
    """Verdict and sentence of the only client's point."""
    (client,) = report(twin.world)["clients"]
    (found,) = [each for each in client["points"] if each["name"] == name]
    return found["verdict"], found["says"]


# ── coming back ──────────────────────────────────────────────────────────────────────────────────────────────────────

WAITS: dict[str, tuple[str, float, str]] = {
    "to the second": ("5", 5, "good"),
    "a moment too early": ("5", 4.999, "bad"),
    "not at all to be waited": ("0", 0.001, "good"),
    "a date that has come": ("Tue, 12 May 2026 09:30:07 GMT", 7, "good"),
    "a date to come": ("Tue, 12 May 2026 09:30:07 GMT", 6, "bad"),
    "no number and no date": ("soon", 0.001, "unseen"),
    "a number beyond all times": ("9" * 400, 1, "unseen"),
    "a negative number": ("-1", 1, "unseen"),
}


@pytest.mark.parametrize(("told", "after", "expected"), WAITS.values(), ids=WAITS)
def test_retry_after_is_measured_on_the_worlds_clock(told: str, after: float, expected: str) -> None:
    twin = new()
    write(twin, 0, 429, response_headers=(("Retry-After", told),))
    write(twin, after)
    assert verdict(twin, "waits out Retry-After")[0] == expected


def test_another_operation_may_be_called_meanwhile() -> None:
    twin = new()
    write(twin, 0, 503, response_headers=(("retry-after", "9"),))
    write(twin, 1, operation="listTasks", path="/api/v1/tasks/")
    assert verdict(twin, "waits out Retry-After")[0] == "unseen"


PAUSES: dict[str, tuple[list[float], str]] = {
    "doubling": ([1, 2, 4], "good"),
    "with chance in it": ([0.8, 0.5, 3.1], "good"),
    "always the same": ([1, 1, 1, 1], "bad"),
    "at once": ([0.001, 0.002, 0.001], "bad"),
    "growing, but tiny": ([0.001, 0.01, 0.02], "bad"),
    "one try more": ([1], "unseen"),
    "growing without end": ([2.0**n for n in range(12)], "bad"),
    "a clock that stands still": ([0, 0, 0], "unseen"),
}


@pytest.mark.parametrize(("pauses", "expected"), PAUSES.values(), ids=PAUSES)
def test_pauses_between_tries_that_fail_must_grow(pauses: list[float], expected: str) -> None:
    twin, at = new(), 0.0
    for pause in pauses:
        write(twin, at, 500)
        at += pause
    write(twin, at)
    assert verdict(twin, "backs off")[0] == expected


def test_pauses_that_the_answers_asked_for_need_not_grow() -> None:
    twin = new()
    for number in range(4):
        write(twin, 5 * number, 503, response_headers=(("retry-after", "5"),))
    write(twin, 20)
    assert verdict(twin, "backs off")[0] == "unseen"


AGAIN: dict[str, tuple[str, str | None, str | None, int, str]] = {
    "the same key": ("POST", "k", "k", 500, "good"),
    "the same key in quotes": ("POST", "k", '"k"', 500, "good"),
    "another key": ("POST", "k", "l", 500, "bad"),
    "no key": ("POST", None, None, 500, "bad"),
    "a key too late": ("POST", None, "k", 500, "bad"),
    "no key for what is the same done twice": ("DELETE", None, None, 500, "unseen"),
    "after a refusal": ("POST", None, None, 429, "unseen"),
    "after a success": ("POST", None, None, 200, "unseen"),
}


@pytest.mark.parametrize(("method", "first", "second", "status", "expected"), AGAIN.values(), ids=AGAIN)
def test_a_write_is_sent_again_with_its_first_key(
    method: str, first: str | None, second: str | None, status: int, expected: str
) -> None:
    twin = new()
    path, operation = ("/api/v1/tasks/", "createTask") if method == "POST" else ("/api/v1/skills/1", "deleteSkill")
    for seconds, key in enumerate((first, second)):
        headers = (AGENT, ("idempotency-key", key)) if key else (AGENT,)
        more = {"path": path, "operation": operation, "request_headers": headers, "request_body": b'{"title":"x"}'}
        write(twin, seconds, (status, 200)[seconds], method=method, **more)
    assert verdict(twin, "keeps the idempotency key")[0] == expected


def test_an_api_without_keys_is_told_to_have_none() -> None:
    twin = new("aitasker")
    for seconds in range(2):
        more = {"path": "/api/v1/tasks", "operation": "", "request_body": b"{}"}
        write(twin, seconds, 500, method="POST", **more)
    found, says = verdict(twin, "keeps the idempotency key")
    assert (found, "takes no key" in says) == ("unseen", True)


# ── following ────────────────────────────────────────────────────────────────────────────────────────────────────────

LISTS: dict[str, tuple[str, list[str], str]] = {
    "pages to the end": ("uumit", ["?page=1&page_size=3", "?page=2&page_size=3", "?page=3&page_size=3"], "good"),
    "pages with a filter and without": ("uumit", ["?page=1&page_size=2", "?page=2&page_size=2&status=open"], "unseen"),
    "a page twice": ("uumit", ["?page=1&page_size=1", "?page=2&page_size=1", "?page=2&page_size=1"], "bad"),
    "the first page again": ("uumit", ["?page=1&page_size=1"] * 3, "unseen"),
    "offsets to the end": ("posthog", ["?limit=5", "?limit=5&offset=5", "?limit=5&offset=10"], "good"),
    "offsets that overlap": ("posthog", ["?limit=2", "?limit=2&offset=1"], "bad"),
    "offsets that leave out": ("posthog", ["?limit=1", "?limit=1&offset=2"], "bad"),
    "a bare list to its end": ("aitasker", ["?limit=5", "?limit=5&offset=5"], "good"),
    "a bare list of which more may follow": ("aitasker", ["?limit=1", "?limit=1&offset=1"], "unseen"),
}
PLACES = {
    "uumit": ("/api/v1/tasks/", "human_alice", "busy"),
    "posthog": ("/api/projects/@current/tasks/", "ada", "default"),
    "aitasker": ("/api/v1/tasks", "poster", "default"),
}


@pytest.mark.parametrize(("name", "queries", "expected"), LISTS.values(), ids=LISTS)
def test_pages_are_read_one_after_the_other(name: str, queries: list[str], expected: str) -> None:
    path, who, seeds = PLACES[name]
    twin = Twin(provider(name), seeds=seeds, now=NOW, clock="frozen")
    for query in queries:
        assert twin.request("GET", path + query, as_=who).status == 200
    assert verdict(twin, "follows pages to the end")[0] == expected


STREAM: dict[str, Json] = {
    "path": "/api/projects/1/tasks/018f0000-0000-7000-8000-000000000001/runs/018f0000-0000-7000-8000-000000000002/stream/",
    "response_headers": (("content-type", "text/event-stream"),),
}
ENDS: dict[str, tuple[str, str, str]] = {
    "cut, and resumed": ("cut by a fault, after 3 events", "5-0", "good"),
    "cut, and begun anew": ("cut by a fault, after 3 events", "", "bad"),
    "cut before anything was told": ("cut by a fault, after 0 events", "", "unseen"),
    "at its end": ("it ended, after 3 events", "", "unseen"),
    "left by the client": ("the client left, after 3 events", "", "unseen"),
    "left by the client, and resumed": ("the client left, after 3 events", "5-0", "good"),
}


@pytest.mark.parametrize(("why", "last", "expected"), ENDS.values(), ids=ENDS)
def test_a_stream_that_broke_is_opened_behind_the_last_event(why: str, last: str, expected: str) -> None:
    twin = new("posthog")
    resumed = (AGENT, ("last-event-id", last)) if last else (AGENT,)
    write(twin, 0, operation="streamRun", **STREAM)
    write(twin, 1, operation="", reason=f"stream closed: {why}", **STREAM)
    write(twin, 2, operation="streamRun", request_headers=resumed, **STREAM)
    assert verdict(twin, "resumes streams")[0] == expected


def test_the_end_of_a_stream_may_be_noticed_when_the_next_one_is_over() -> None:
    twin = new("posthog")
    resumed = (AGENT, ("last-event-id", "5-0"))
    write(twin, 0, operation="streamRun", reason="fault: torn", **STREAM)
    write(twin, 1, operation="streamRun", request_headers=resumed, **STREAM)
    write(twin, 2, operation="", reason="stream closed: it ended, after 1 events", request_headers=resumed, **STREAM)
    write(twin, 2, operation="", reason="stream closed: cut by a fault, after 3 events", **STREAM)
    assert verdict(twin, "resumes streams")[0] == "good"


LOOKS: dict[str, tuple[float, int, str | None, str, str]] = {
    "as told": (5, 3, "5", "good", "said 5 s"),
    "faster than told": (4, 3, "5", "bad", "said 5 s"),
    "slowly": (2, 3, None, "good", "every 2 s"),
    "fast, but nobody said how fast": (0.1, 5, None, "unseen", "10 a second"),
    "twice": (0.1, 2, None, "unseen", "3 times"),
}


@pytest.mark.parametrize(("pause", "count", "told", "expected", "says"), LOOKS.values(), ids=LOOKS)
def test_what_is_looked_at_again_and_again_is_not_asked_too_often(
    pause: float, count: int, told: str | None, expected: str, says: str
) -> None:
    twin = new()
    for number in range(count):
        write(twin, pause * number, response_headers=(("retry-after", told),) if told else ())
    found = verdict(twin, "polls no faster than told")
    assert (found[0], says in found[1]) == (expected, True), found


# ── any journal ──────────────────────────────────────────────────────────────────────────────────────────────────────

REASONS = st.sampled_from(
    [
        "state",
        "fault: x",
        "fault: forgotten (odd)",
        "fault: ",
        "stream closed: ",
        "stream closed: cut by a fault, after 3 events",
        "stream closed: the client left, after " + "9" * 300 + " events",
        "refused: throttled",
    ]
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["user-agent", "retry-after", "Last-Event-ID", "idempotency-key", "tasktwin-limit", "content-type", "é"]
        ),
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(["5", "", "²", "Mon, 99 Foo", "text/event-stream", "would refuse (x)", "application/json"]),
            st.dates().map(lambda day: day.strftime("%a, %d %b %Y 00:00:00 +9999")),
        ),
    ),
    max_size=4,
).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["items", "total", "data", "has_more", "count", "method", "idempotency_key"]), inner
        )
    ),
    max_leaves=5,
)
BODIES = st.binary(max_size=12) | JSON.map(dumps) | st.just(b"[" * 9_999)

TROUBLES: list[Json] = [None, {"corrupt": "unknown-fields"}, {"drop": "after"}, {"delay": 1}, {"stream": "cut"}, {}, 3]
OPENED: dict[str, Json] = {
    "status": 200,
    "reason": "state",
    "response_headers": (("content-type", "text/event-stream"),),
}
CLOSED: dict[str, Json] = {"operation": "", "reason": "stream closed: cut by a fault, after 3 events"}
STREAMS = st.sampled_from([{}, OPENED, CLOSED]).map(lambda kind: {**kind, **SAME} if kind else kind)
SAME: dict[str, Json] = {"request_body": b"{}", "path": "/stream", "method": "GET", "principal": "a"}


@st.composite
def entries(draw: st.DrawFn, name: str) -> list[dict[str, Json]]:
    """A journal: mostly of requests that mean something to an API."""
    rules = provider(name).rules
    paged = sorted(name for name, each in rules.bindings.items() if each.paging)
    operations = [*sorted(rules.contract.operations), *sorted(rules.streams) * 9, *paged * 9]
    ways = draw(st.lists(st.sampled_from(operations), min_size=1, max_size=2))
    found = []
    for _ in range(draw(st.integers(1, 12))):
        operation = rules.contract.operations[draw(st.sampled_from(ways))]
        path = rules.contract.prefix + operation.path.replace("{", "").replace("}", "")
        query = draw(
            st.sampled_from(["", "?", "?page=1&page_size=1", "?page=0&limit=%", "?offset=9&limit=0", "?\x00=\xff&="])
        )
        found.append(
            {
                "instant": draw(st.integers(0, 10**7)) + 10**15,
                "world": "default",
                "method": draw(st.sampled_from([operation.method, "GET", "POST"])),
                "path": draw(st.sampled_from([path + query, "", "?", "/nope\xff"])),
                "status": draw(st.sampled_from([0, 200, 200, 204, 404, 422, 429, 500, 503])),
                "operation": draw(st.sampled_from([operation.id, operation.id, "", "gone"])),
                "principal": draw(st.sampled_from(["", "a", "b"])),
                "reason": draw(REASONS),
                "request_headers": draw(HEADERS),
                "request_body": draw(BODIES),
                "response_headers": draw(HEADERS),
                "response_body": draw(BODIES),
                "violations": draw(st.sampled_from([(), ({},), ("odd",), ({"pointer": "/x", "message": "m"},)])),
                "trouble": draw(st.sampled_from(TROUBLES)),
                **draw(STREAMS if operation.id in rules.streams else st.just({})),
            }
        )
    return found


@pytest.mark.parametrize("name", ["uumit", "posthog", "aitasker"])
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_journal_confuses_the_judges(name: str, data: st.DataObject) -> None:
    twin = new(name)
    for each in data.draw(entries(name)):
        twin.world.journal.record(**each)
    found = report(twin.world)
    known = range(twin.world.journal.oldest, twin.world.journal.newest + 1)
    for client in found["clients"]:
        for point in client["points"]:
            assert point["verdict"] in ("good", "bad", "unseen")
            assert point["says"]
            assert point["evidence"] or point["verdict"] == "unseen"
            assert all(each["number"] in known for finding in point["evidence"] for each in finding["entries"])
    assert dumps(found)
    assert page(found, name).endswith("</html>")


def test_a_crowd_of_clients_is_bounded_and_the_rest_is_counted() -> None:
    twin = new()
    for number in range(MOST_CLIENTS + 7):
        write(twin, number, request_headers=(("user-agent", f"client/{number}" + "x" * 9_999),))
    found = report(twin.world)
    assert (len(found["clients"]), found["left_out"]) == (MOST_CLIENTS, 7)
    assert max(len(each["user_agent"]) for each in found["clients"]) == 200


def test_what_gave_way_in_the_journal_is_said() -> None:
    twin = new()
    for number in range(1_010):
        write(twin, number)
    found = report(twin.world)
    assert found["journal"] == {"first": 11, "last": 1_010, "dropped": 10, "limit": 1_000}
    assert "10 older ones gave way" in page(found, "UUMit")
