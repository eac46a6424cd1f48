"""A run's stream over real HTTP, on a frozen clock: what it tells, in which bytes, how it goes on, and how it ends."""

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from shutil import copytree
from typing import TypeAlias

import httpx2
import jsonschema_rs
import pytest
from tests.posthog.conftest import NOW, TASKS, provider
from tests.server.front import serving

from tasktwin.wire import Json

TASK = "10000000-0000-4000-8000-000000000002/"
SEEDED = "10000000-0000-4000-8000-000000000001/runs/20000000-0000-4000-8000-000000000002/"
STAMP = "2026-05-12T09:30:00.000000Z"
MOMENT = 1_778_578_200_000
ADA = "phx_ada_all"
NOTE: Json = {
    "type": "notification",
    "timestamp": NOW,
    "notification": {"jsonrpc": "2.0", "method": "_posthog/console"},
}
LEAVE: Json = {
    "type": "permission_request",
    "requestId": "req-3",
    "toolCall": {"title": "rm"},
    "options": [{"id": "no"}],
}
UPDATE = {"jsonrpc": "2.0", "method": "session/update", "params": {"update": {"sessionUpdate": "agent_message_chunk"}}}
CHUNK: Json = {"type": "notification", "timestamp": NOW, "notification": UPDATE}
KEEPALIVE = b'event: keepalive\ndata: {"type":"keepalive"}\n\n'
REPEATED = ("status", "stage", "output", "branch", "error_message", "updated_at", "completed_at")

DOCUMENT: Json = provider().rules.contract.document
SAID = {
    "keepalive": "Keepalive",
    "error": "StreamError",
    "task_run_state": "RunStateData",
    "notification": "NotificationData",
    "permission_request": "PermissionRequestData",
}
"""The schema of the data, by the name of the event or the type of the data."""

Lines: TypeAlias = dict[str, str]
"""One event: its lines by name."""

_NUMBERS = count(1)


@cache
def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    """A schema of the document."""
    return jsonschema_rs.Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{name}"})


def keep_the_contract(event: Lines) -> Lines:
    """The event, if it and what it says are as the document has them."""
    said = json.loads(event["data"])
    kind = str(event.get("event") or said.get("type"))
    schema("RunStreamEvent").validate(event)
    schema(SAID.get(kind, "LogEntry")).validate(said)
    return event


class Stream:
    """An open stream, read event by event."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._bytes = response.iter_raw()
        self._held = b""

    def raw(self) -> bytes:
        """The next event as it came, with its blank line; nothing when the stream is closed."""
        while b"\n\n" not in self._held:
            chunk = next(self._bytes, b"")
            if not chunk:
                assert self._held == b"", "the stream was closed inside an event"
                return b""
            self._held += chunk
        event, _, self._held = self._held.partition(b"\n\n")
        return event + b"\n\n"

    def next(self) -> Lines:
        """The next event, which obeys the contract; ``{}`` when the stream is closed."""
        event = dict(line.split(": ", 1) for line in self.raw().decode().split("\n") if line)
        return keep_the_contract(event) if event else {}

    def rest(self) -> list[Lines]:
        """All events until the stream closes."""
        return list(iter(self.next, {}))


class World:
    """A world of its own, with a fresh run in it. Paths of requests are below the tasks of Ada's project."""

    def __init__(self, origin: str) -> None:
        base = f"{origin}/_tasktwin/worlds/stream-{next(_NUMBERS)}"
        self.api = httpx2.Client(base_url=f"{base}/api", timeout=5, verify=False)
        self.control = httpx2.Client(base_url=f"{base}/control", timeout=5, verify=False)
        self.id = self.ask("POST", f"{TASK}runs/", {"environment": "cloud", "branch": "dark"})["id"]
        self.run = f"{TASK}runs/{self.id}/"

    def close(self) -> None:
        """Hang up."""
        self.api.close()
        self.control.close()

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """A request of Ada's that succeeds."""
        answer = self.api.request(method, TASKS + path, json=body, headers={"Authorization": f"Bearer {ADA}"})
        assert answer.is_success, answer.text
        return answer.json()

    def note(self, *entries: Json) -> None:
        """Append to the run's log."""
        self.ask("POST", f"{self.run}append_log/", {"entries": list(entries) or [NOTE]})

    def fire(self, trigger: str) -> None:
        """Something that no request does."""
        answer = self.control.post(f"/events/{trigger}", json={"id": self.id})
        assert answer.is_success, answer.text

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert self.control.post("/clock", json={"advance": seconds}).is_success

    @contextlib.contextmanager
    def open(self, run: str = "", query: str = "", last: str = "", wait: float = 5) -> Iterator[Stream]:
        """The stream of a run, usually the fresh one; reading fails after ``wait`` seconds without a byte."""
        headers = {"Authorization": f"Bearer {ADA}", **({"Last-Event-ID": last} if last else {})}
        path = f"{TASKS}{run or self.run}stream/{query}"
        with self.api.stream("GET", path, headers=headers, timeout=wait) as response:
            assert response.status_code == 200
            yield Stream(response)

    def told(self, query: str = "", last: str = "") -> list[Lines]:
        """What a stream tells until it closes."""
        with self.open(query=query, last=last) as stream:
            return stream.rest()


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """``tasktwin serve posthog`` at a fixed time."""
    with serving("posthog", "--quiet", "--now", NOW, "--clock", "frozen") as (url, _process):
        yield url


@pytest.fixture
def world(origin: str) -> Iterator[World]:
    """A world that no other test has seen."""
    with contextlib.closing(World(origin)) as found:
        yield found


def state(run: Json) -> Json:
    """What is told of a run after a change."""
    return {"type": "task_run_state", "run_id": run["id"], "task_id": run["task"]} | {
        name: run[name] for name in REPEATED
    }


def data(events: list[Lines]) -> list[Json]:
    """What the events say."""
    return [json.loads(each["data"]) for each in events]


def summary(said: Json) -> str:
    """A state as its status, a line of the log as what it is."""
    if said["type"] == "task_run_state":
        return str(said["status"])
    return str(said.get("notification", {}).get("method", said["type"]))


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_is_named_as_one_and_kept_by_no_cache_or_proxy(world: World) -> None:
    with world.open() as stream:
        headers = stream.response.headers
    assert headers["content-type"].partition(";")[0] == "text/event-stream"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")


@pytest.mark.parametrize("route", ["run/", "runs/"])
def test_a_fresh_run_is_told_first_in_exactly_these_bytes(route: str, world: World) -> None:
    made = world.ask("POST", TASK + route, {"branch": "dark"})
    run = made.get("latest_run") or made
    said = (
        f'{{"type":"task_run_state","run_id":"{run["id"]}","task_id":"{TASK[:-1]}","status":"queued","stage":null,'
        f'"output":null,"branch":"dark","error_message":null,"updated_at":"{STAMP}","completed_at":null}}'
    )
    with world.open(f"{TASK}runs/{run['id']}/") as stream:
        assert stream.raw().decode() == f"id: {MOMENT}-0\ndata: {said}\n\n"


Act: TypeAlias = Callable[[World], object]
"""Something that is done to the fresh run."""


def patch(**fields: Json) -> Act:
    """A change of the run."""
    return lambda world: world.ask("PATCH", world.run, fields)


def fire(*triggers: str) -> Act:
    """What the worker does."""
    return lambda world: list(map(world.fire, triggers))


def post(path: str, **body: Json) -> Act:
    """What else is asked of the run."""
    return lambda world: world.ask("POST", world.run + path, body)


def resume(world: World) -> None:
    """Move the run to this computer, and back."""
    world.ask("PATCH", world.run, {"environment": "local"})
    world.ask("POST", f"{world.run}resume_in_cloud/")


def set_output(world: World) -> None:
    """What came of it."""
    world.ask("PATCH", f"{world.run}set_output/", {"output": {"pr_url": "u"}})


STARTED, DONE = "_posthog/run_started", "_posthog/task_complete"
WAYS: dict[str, tuple[Act, list[str]]] = {
    "PATCH of a field": (patch(stage="build"), ["queued"]),
    "PATCH of the status": (patch(status="in_progress"), ["in_progress"]),
    "PATCH to an end": (patch(status="completed"), ["completed"]),
    "set_output": (set_output, ["queued"]),
    "resume_in_cloud": (resume, ["queued", "queued"]),
    "append_log": (lambda world: world.note(NOTE, LEAVE), ["_posthog/console", "permission_request"]),
    "append_log of a chunk": (lambda world: world.note(CHUNK, NOTE), ["_posthog/console"]),
    "start": (post("start/"), []),
    "command": (post("command/", jsonrpc="2.0", method="user_message", params={"content": "hi"}), []),
    "worker begins": (fire("start_work"), [STARTED, "in_progress"]),
    "worker completes": (fire("complete"), [DONE, "completed"]),
    "worker fails": (fire("start_work", "fail"), [STARTED, "in_progress", DONE, "failed"]),
    "worker cancels": (fire("cancel_run"), [DONE, "cancelled"]),
}


@pytest.mark.parametrize(("act", "expected"), WAYS.values(), ids=WAYS)
def test_what_is_done_to_a_run_shows_up_on_its_open_stream(act: Act, expected: list[str], world: World) -> None:
    with world.open() as stream:
        stream.next()
        world.advance(1)
        act(world)
        last = world.ask("GET", world.run)
        world.fire("end_stream")
        told = data(stream.rest())
    assert [summary(each) for each in told] == expected
    assert [each for each in told if each["type"] == "task_run_state"][-1:] in ([state(last)], [])


def test_a_worker_on_the_clock_is_told_with_the_keepalives_between(tmp_path: Path) -> None:
    folder = Path(copytree(provider().folder, tmp_path / "posthog"))
    rules = folder / "provider.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("progress: manual", "progress: auto"), encoding="utf-8")
    with (
        serving(str(folder), "--quiet", "--now", NOW, "--clock", "frozen") as (url, _process),
        contextlib.closing(World(url)) as world,
        world.open(query="?start=latest") as stream,
    ):
        world.ask("POST", f"{world.run}start/", {})
        world.advance(65)
        told = [summary(each) for each in data(stream.rest())]
    assert told == [STARTED, "in_progress", *["keepalive"] * 3, DONE, "completed"]


def test_entries_of_a_log_are_told_as_they_are(world: World) -> None:
    entries: list[Json] = [NOTE, LEAVE, {"note": "für 你\n\u2028ende", "n": 1.5, "none": None}]
    world.note(*entries)
    world.fire("end_stream")
    assert data(world.told())[1:] == entries


def test_two_readers_are_told_the_same(world: World) -> None:
    with world.open() as first, world.open() as second:
        world.note()
        world.fire("complete")
        assert first.rest() == second.rest()


def test_another_run_s_stream_stays_silent(world: World) -> None:
    with world.open(SEEDED, wait=0.5) as stream:
        world.note()
        with pytest.raises(httpx2.ReadTimeout):
            stream.next()


# ── ids, and going on ────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_are_the_millisecond_and_a_number_that_rises_within_it(world: World) -> None:
    world.note(NOTE, NOTE)
    world.advance(0.0625)
    world.note(NOTE, NOTE)
    world.fire("end_stream")
    ids = [each["id"] for each in world.told()]
    assert ids == [f"{MOMENT}-0", f"{MOMENT}-1", f"{MOMENT}-2", f"{MOMENT + 62}-0", f"{MOMENT + 62}-1"]


def test_a_reader_who_comes_back_gets_exactly_the_rest(world: World) -> None:
    world.note(NOTE, LEAVE)
    world.advance(3)
    world.fire("start_work")
    world.fire("complete")
    told = world.told()
    assert [summary(each) for each in data(told)[3:]] == [STARTED, "in_progress", DONE, "completed"]
    for n, event in enumerate(told, 1):
        assert world.told(last=event["id"]) == told[n:]
        assert world.told("?start=latest", last=event["id"]) == told[n:]


@pytest.mark.parametrize("last", ["0", "0-0", "5", f"{MOMENT - 1}-9"])
def test_an_id_from_before_the_first_event_brings_them_all(last: str, world: World) -> None:
    world.fire("complete")
    assert world.told(last=last) == world.told()


def test_an_id_that_no_event_has_brings_what_is_later(world: World) -> None:
    world.advance(2)
    world.fire("complete")
    assert [summary(each) for each in data(world.told(last=f"{MOMENT + 1000}-7"))] == [DONE, "completed"]


def test_start_latest_leaves_out_what_was_before(world: World) -> None:
    world.note()
    with world.open(query="?start=latest") as stream:
        world.fire("complete")
        assert [summary(each) for each in data(stream.rest())] == [DONE, "completed"]


@pytest.mark.parametrize("query", ["?start=", "?start=first", "?start=LATEST", "?other=latest"])
def test_no_other_start_means_anything(query: str, world: World) -> None:
    world.fire("complete")
    assert [summary(each) for each in data(world.told(query))] == ["queued", DONE, "completed"]


@pytest.mark.parametrize("last", ["x", "1-", "-1", "1-2-3", "1.5", "12 3"])
def test_a_malformed_id_is_told_as_an_error_and_the_stream_closes(last: str, world: World) -> None:
    assert world.told(last=last) == [{"event": "error", "data": '{"error":"Stream read error"}'}]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_comes_while_the_clock_stands_still(world: World) -> None:
    with world.open(wait=1) as stream:
        stream.next()
        with pytest.raises(httpx2.ReadTimeout):
            stream.next()


@pytest.mark.parametrize(
    ("steps", "beats"), [([60], 3), ([19, 0.9], 0), ([19, 1], 1), ([20] * 3, 3)], ids=["60", "19.9", "20", "3 x 20"]
)
def test_a_keepalive_comes_after_each_20_idle_seconds(steps: list[float], beats: int, world: World) -> None:
    with world.open() as stream:
        stream.next()
        for each in steps:
            world.advance(each)
        world.note()
        assert [stream.raw() for _ in range(beats)] == [KEEPALIVE] * beats
        assert json.loads(stream.next()["data"]) == NOTE


def test_an_event_puts_the_next_keepalive_off(world: World) -> None:
    with world.open() as stream:
        stream.next()
        world.advance(15)
        world.note()
        world.advance(15)
        world.fire("end_stream")
        assert data(stream.rest()) == [NOTE]


def test_a_run_of_the_seeds_is_waited_for_until_it_is_not_available(world: World) -> None:
    with world.open(SEEDED) as stream:
        world.advance(119)
        assert [stream.raw() for _ in range(5)] == [KEEPALIVE] * 5
        world.advance(1)
        *beats, last = stream.rest()
    assert beats in ([], [{"event": "keepalive", "data": '{"type":"keepalive"}'}])
    assert last == {"event": "error", "data": '{"error":"Stream not available"}'}


def test_a_run_of_the_seeds_that_something_happens_to_in_time_is_told(world: World) -> None:
    with world.open(SEEDED) as stream:
        world.advance(119)
        run = world.ask("PATCH", SEEDED, {"stage": "review"})
        world.advance(10)
        world.control.post("/events/end_stream", json={"id": run["id"]})
        told = data(stream.rest())
    assert told == [{"type": "keepalive"}] * 5 + [state(run)]


def test_a_stream_lasts_two_hours(world: World) -> None:
    with world.open() as stream:
        stream.next()
        world.advance(7_199)
        world.note()
        world.advance(1)
        *_, note, last = data(stream.rest())
    assert (note, last) == (NOTE, {"error": "Stream timeout — task run took too long"})


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_patch_to_a_final_status_does_not_end_the_stream(status: str, world: World) -> None:
    with world.open() as stream:
        world.ask("PATCH", world.run, {"status": status})
        world.note()
        assert [summary(json.loads(stream.next()["data"])) for _ in range(3)] == ["queued", status, "_posthog/console"]


def test_the_marker_closes_the_stream_without_a_word_and_leaves_the_run_alone(world: World) -> None:
    before = world.ask("GET", world.run)
    with world.open() as stream:
        first = stream.next()
        world.advance(5)
        world.fire("end_stream")
        assert stream.rest() == []
    assert world.told(last=first["id"]) == []
    assert world.ask("GET", world.run) == before


def test_a_broken_stream_tells_an_error_without_an_id_and_closes(world: World) -> None:
    before = world.ask("GET", world.run)
    with world.open() as stream:
        stream.next()
        world.advance(5)
        world.fire("break_stream")
        assert stream.rest() == [{"event": "error", "data": '{"error":"The worker lost its sandbox."}'}]
    assert world.ask("GET", world.run) == before


def test_an_ended_run_that_is_resumed_is_followed_from_its_end_on(world: World) -> None:
    world.fire("complete")
    last = world.told()[-1]
    world.ask("POST", f"{world.run}resume_in_cloud/")
    world.fire("complete")
    assert [summary(each) for each in data(world.told(last=last["id"]))] == ["queued", DONE, "completed"]


# ── before it ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_browser_signs_in_by_the_query(world: World) -> None:
    path = f"{TASKS}{world.run}stream/?personal_api_key={ADA}"
    with world.api.stream("GET", path, headers={"Accept": "text/event-stream"}) as response:
        assert summary(json.loads(Stream(response).next()["data"])) == "queued"


REFUSED: dict[str, tuple[str, str, int, str]] = {
    "no such run": (f"{TASK}runs/20000000-0000-4000-8000-000000000099/", ADA, 404, "Not found."),
    "no such task": (SEEDED.replace("1/runs", "9/runs"), ADA, 404, "Not found."),
    "invisible task": (SEEDED, "phx_ben_all", 404, "Task not found"),
    "no key": (SEEDED, "", 403, "Authentication credentials were not provided."),
    "no scope": (SEEDED, "phx_ada_insights", 403, "API key missing required scope 'task:read'"),
}


@pytest.mark.parametrize(("run", "key", "status", "detail"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_before_the_stream_is_an_error_as_usual(
    run: str, key: str, status: int, detail: str, world: World
) -> None:
    headers = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {key}"} if key else {})}
    answer = world.api.get(f"{TASKS}{run}stream/", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json()["detail"] == detail
