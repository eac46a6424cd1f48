"""The twin in process: the same API without sockets, and thousands of raw bytes thrown at it."""

from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.server.front import ADA, ADAS_TASK, ALICE, ALICES_TASK, TASK, TASKS, serving

from tasktwin import Twin, errors, load
from tasktwin.exchange.twin import Answer
from tasktwin.state import Query
from tasktwin.wire import Json, dumps

NOW = "2026-01-01T00:00:00Z"
HTTP_ONLY = {"date", "content-length", "connection"}


@pytest.fixture
def twin() -> Iterator[Twin]:
    """A twin whose clock stands."""
    with Twin("uumit", now=NOW, clock="frozen") as found:
        yield found


# ── what it does ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_posted_is_what_is_read(twin: Twin) -> None:
    created = twin.request("POST", TASKS, json=TASK, as_="human_alice")
    assert (created.status, created.headers["content-type"]) == (200, "application/json")
    row = twin.read("task", created.json()["data"]["id"])
    assert row is not None
    assert row["title"] == TASK["title"]
    assert twin.request("get", TASKS + row["id"], as_="human_alice").json() == created.json()


def test_a_query_may_stand_in_the_url_and_in_the_parameters(twin: Twin) -> None:
    page = twin.request("GET", f"{TASKS}?page=2#top", params={"page_size": 3}, as_="human_alice").json()["data"]
    assert (page["page"], page["page_size"], len(page["items"])) == (2, 3, 3)


def test_a_whole_url_will_do(twin: Twin) -> None:
    assert twin.request("GET", f"http://twin.test{TASKS}?page=1", as_="human_alice").status == 200
    assert twin.request("GET", "http://twin.test").json()["code"] == 1004


@pytest.mark.parametrize("path", ["//api/v1/tasks/", "//[", "/api/v1/tasks/[", "///", "/", "", "?", "tasks", "/\ud800"])
def test_a_strange_path_is_answered_like_over_http(twin: Twin, path: str) -> None:
    assert twin.request("GET", path, as_="human_alice").status == 404


def test_headers_may_be_given_and_win_over_the_principals(twin: Twin) -> None:
    assert twin.request("GET", TASKS, headers=ALICE).status == 200
    assert twin.request("GET", TASKS, as_="human_alice", headers={"authorization": "Bearer nobody"}).status == 401
    assert twin.request("POST", TASKS, json=TASK, headers={**ALICE, "Content-Type": "text/plain"}).status == 415


def test_a_body_too_large_is_refused(twin: Twin) -> None:
    answer = twin.request("POST", TASKS, content=b"x" * 1_048_577, headers=ALICE)
    assert (answer.status, answer.json()["code"]) == (413, 1001)


def test_an_answer_without_json_says_so(twin: Twin) -> None:
    with pytest.raises(ValueError, match="empty"):
        twin.request("OPTIONS", TASKS).json()


def test_time_is_moved_and_the_timers_that_fired_come_back(twin: Twin) -> None:
    fired = twin.advance(hours=70) + twin.advance(minutes=90, seconds=1800) + twin.advance(days=1)
    assert ALICES_TASK in [each.row for each in fired if each.transition == "expire"]
    row = twin.read("task", ALICES_TASK)
    assert row is not None
    assert row["status"] == "expired"
    assert twin.advance(1) == []


def test_a_trigger_is_fired(twin: Twin) -> None:
    assert twin.trigger("cancel", ALICES_TASK)["status"] == "cancelled"
    with pytest.raises(errors.Refusal, match="cancelled"):
        twin.trigger("cancel", ALICES_TASK)


def test_the_journal_is_at_hand_and_has_no_secrets(twin: Twin) -> None:
    twin.request("GET", TASKS, as_="agent_ada")
    twin.request("GET", "/nope", as_="human_alice")
    assert twin.journal.count() == 2
    assert twin.journal.count(operation="listTasks", status=200) == 1
    sent = {value for entry in twin.journal.entries() for _, value in entry.request_headers}
    assert sent == {"[redacted]"}


def test_reset_brings_back_the_beginning(twin: Twin) -> None:
    first = twin.request("POST", TASKS, json=TASK, as_="human_alice").content
    twin.advance(days=9)
    twin.reset()
    assert twin.journal.count() == 0
    assert twin.request("POST", TASKS, json=TASK, as_="human_alice").content == first


def test_two_twins_do_not_see_each_other(twin: Twin) -> None:
    other = Twin(twin.provider, now=NOW, clock="frozen")
    mine = twin.request("POST", TASKS, json=TASK, as_="human_alice").json()["data"]["id"]
    assert other.read("task", mine) is None


def test_another_seed_gives_other_identifiers() -> None:
    ids = {
        Twin("uumit", seed=seed).request("POST", TASKS, json=TASK, as_="human_alice").json()["data"]["id"]
        for seed in (0, 1, 2)
    }
    assert len(ids) == 3


def test_misuse_is_told() -> None:
    with pytest.raises(errors.MisuseError, match="human_alice"):
        Twin("uumit").request("GET", TASKS, as_="nobody")
    with pytest.raises(errors.MisuseError, match="busy, default, empty"):
        Twin("uumit", seeds="nope")
    with pytest.raises(errors.MisuseError, match="clock mode"):
        Twin("uumit", clock="sundial")
    with pytest.raises(errors.MisuseError, match="now: 'tomorrow' is not an ISO 8601"):
        Twin("uumit", now="tomorrow")
    with pytest.raises(errors.MisuseError, match="forward"):
        Twin("uumit").advance(-1)
    with pytest.raises(errors.DataError, match="uumit"):
        Twin("uumitt")


def test_in_process_and_over_http_the_same_bytes_come_back(twin: Twin) -> None:
    calls: list[tuple[str, str, dict[str, str], bytes]] = [
        ("POST", TASKS, {**ALICE, "Content-Type": "application/json", "Idempotency-Key": "k"}, dumps(TASK)),
        ("POST", TASKS, {**ALICE, "Content-Type": "application/json", "Idempotency-Key": "k"}, dumps(TASK)),
        ("GET", f"{TASKS}?page_size=5", ALICE, b""),
        ("GET", f"{TASKS}{ADAS_TASK}", ALICE, b""),
        ("POST", TASKS, ADA, b"{"),
        ("DELETE", TASKS, ADA, b""),
        ("OPTIONS", TASKS, {}, b""),
        ("GET", "/nope", {}, b""),
        ("GET", "/openapi.json", {}, b""),
    ]
    with serving("uumit", "--quiet", "--now", NOW, "--clock", "frozen") as (url, _process), httpx2.Client() as client:
        for method, path, headers, body in calls:
            far = client.request(method, url + path, headers=headers, content=body)
            near = twin.request(method, path, headers=headers, content=body)
            assert (near.status, near.content) == (far.status_code, far.content), path
            told = {name: value for name, value in far.headers.items() if name not in HTTP_ONLY}
            assert near.headers | {"content-type": told.get("content-type", "")} == told | {
                "content-type": told.get("content-type", "")
            }


# ── thousands of bytes ───────────────────────────────────────────────────────────────────────────────────────────────

PROVIDER = load("uumit")
OPERATIONS = [(each.method, each.path) for each in PROVIDER.rules.contract.operations.values()]
THROWN = settings(
    max_examples=1_500, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
TARGET = Twin(PROVIDER, now=NOW, clock="frozen")
IDS = {"task_id": ADAS_TASK, "app_id": "30000000-0000-4000-8000-000000000003", "cap_id": "cap_ocr_invoice_v1"}

values: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([ADAS_TASK, "1e9", "-0", "NaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def written(value: Json) -> bytes:
    """JSON as careless programs write it: NaN and lone surrogates included."""
    import json  # noqa: PLC0415 - orjson writes neither

    return json.dumps(value).encode()


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Raw bytes; any JSON; a good body with one field made bad, or with bytes cut out, doubled or put in."""
    good: dict[str, Json] = draw(
        st.sampled_from([TASK, {"skill_id": ADAS_TASK, "message": "m"}, {"delivery_hours": 9}])
    )
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=60))
    if kind == 1:
        return written(draw(values))
    if kind == 2:
        return written({**good, draw(st.sampled_from([*TASK, "status", "user_id", "id", ""])): draw(values)})
    whole = dumps(good)
    start, end = draw(st.integers(0, len(whole))), draw(st.integers(0, len(whole)))
    return whole[:start] + draw(st.binary(max_size=4)) + whole[end:]


ODD = ["..", ".", "", "%2F", "%00", "%ff", "%", "%zz", "%ed%a0%80", "*", "é", "\x00", "a" * 300, "?", "#"]
QUERIES = ["page", "page_size", "status", "keyword", "category", "role", "type", "x", "%ff", ""]


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Raw bytes; a path of the contract with odd segments in it, and a query."""
    if draw(st.integers(0, 3)) == 0:
        return "/" + draw(st.binary(max_size=40)).decode("latin-1")
    segments = [IDS.get(each.strip("{}"), each) for each in draw(st.sampled_from(OPERATIONS))[1].split("/")]
    for place, odd in draw(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(ODD)), max_size=2)):
        segments[place : place + 1] = [odd]
    name, value = (
        draw(st.sampled_from(QUERIES)),
        draw(st.sampled_from(ODD) | st.text(max_size=6) | st.integers().map(str)),
    )
    return "/".join(segments) + (f"?{name}={value}&page=1" if name else "")


def everything(twin: Twin) -> Json:
    """All that a world keeps."""
    store = twin.world.store
    rows = {name: store.find(Query(name)) for name in PROVIDER.rules.collections}
    return dumps([store.sizes(), rows, [[each.due, each.row] for each in store.timers()]])


BEGINNING = everything(TARGET)


def check(answer: Answer, path: str) -> None:
    """No defect, the API's shape, and unless something was done everything as it was."""
    assert answer.status < 500, answer
    if answer.headers["content-type"] == "text/event-stream":
        assert answer.content.endswith(b"\n\n")
        return
    body: Json = answer.json() if answer.content else None
    if answer.status >= 400:
        assert set(body) == {"code", "message", "data", "timestamp"}
        assert body["code"] >= 1_000
    elif path.startswith("/api/"):
        assert answer.status == 204 or body["code"] == 0
    if answer.status >= 400 and body["code"] != 3004:
        assert everything(TARGET) == BEGINNING


@THROWN
@given(
    operation=st.sampled_from([each for each in OPERATIONS if each[0] in ("POST", "PUT")]),
    body=bodies(),
    who=st.sampled_from(list(PROVIDER.rules.principals)),
    key=st.sampled_from(["", "k", "é", "k" * 300]),
)
@example(operation=("POST", TASKS), body=b"[" * 10_000, who="agent_ada", key="")
@example(operation=("POST", TASKS), body=b'{"a":' * 10_000, who="agent_ada", key="k")
def test_whatever_bytes_are_sent_there_is_no_defect_and_no_trace(
    operation: tuple[str, str], body: bytes, who: str, key: str
) -> None:
    TARGET.reset()
    method, path = operation
    for name, value in IDS.items():
        path = path.replace(f"{{{name}}}", value)
    check(TARGET.request(method, path, content=body, as_=who, headers={"Idempotency-Key": key} if key else {}), path)


@settings(THROWN, max_examples=1_000)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO", ""]),
    path=paths(),
    who=st.sampled_from([*PROVIDER.rules.principals, ""]),
)
@example(method="GET", path="//[", who="")
@example(method="GET", path="/" * 10_000, who="human_alice")
def test_whatever_path_is_asked_for_there_is_no_defect_and_no_trace(method: str, path: str, who: str) -> None:
    TARGET.reset()
    check(TARGET.request(method, path, as_=who), path)


@settings(THROWN, max_examples=300)
@given(
    body=bodies()
    | values.map(lambda params: written({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": params}))
)
def test_whatever_is_sent_to_json_rpc_there_is_no_defect(body: bytes) -> None:
    TARGET.reset()
    answer = TARGET.request("POST", "/a2a", content=body, as_="agent_ada")
    assert (answer.status, answer.json()["jsonrpc"]) == (200, "2.0")
    assert "error" in answer.json()
    assert everything(TARGET) == BEGINNING
