"""Streams through the front door: their head, their readers, trouble, worlds that end, and clocks that run."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from pathlib import Path

import httpx2
import pytest
from tests.provider.small import edited, write
from tests.server.front import ask, message, replies, serving, talk

from tasktwin import Twin
from tasktwin.wire import Json

ANN, BEN = {"Authorization": "Bearer ann-token"}, {"Authorization": "Bearer ben-token"}
BOUNDED = {"Prefer": "stream=bounded"}
FROZEN = ("--clock", "frozen", "--now", "2026-01-01T12:00:00Z")
RETRY = b"retry: 2000\n\n"

_NUMBERS = count(1)


class Stream:
    """An open stream, read frame by frame; reading fails after five seconds without a byte."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._frames = self._read()

    def _read(self) -> Iterator[bytes]:
        held = b""
        for chunk in self.answer.iter_raw():
            *whole, held = (held + chunk).split(b"\n\n")
            yield from [each + b"\n\n" for each in whole]
        assert held == b"", "the stream was closed inside an event"

    def read(self, number: int) -> list[bytes]:
        """So many frames, all of which must come."""
        found = list(islice(self._frames, number))
        assert len(found) == number, "the stream was closed"
        return found

    def rest(self) -> list[bytes]:
        """All frames until the stream closes; one that is cut off raises."""
        return list(self._frames)


class World:
    """A world of its own on the served folder, with a fresh job of Ann's in it."""

    def __init__(self, origin: str, mode: str = "", name: str = "") -> None:
        self.origin = origin
        self.name = name or f"stream-{next(_NUMBERS)}"
        if mode:
            made = httpx2.post(f"{origin}/_tasktwin/worlds", json={"name": self.name, "mode": mode}, verify=False)
            assert made.is_success, made.text
        self.path = f"/_tasktwin/worlds/{self.name}"
        self.api = httpx2.Client(base_url=f"{origin}{self.path}/api", headers=ANN, timeout=5, verify=False)
        self.control = httpx2.Client(base_url=f"{origin}{self.path}/control", timeout=5, verify=False)
        self.job = "" if name else self.ask("POST", "/jobs", {"title": "Dig", "hours": 2})["id"]
        self.events = f"/jobs/{self.job}/events"

    def close(self) -> None:
        """Hang up."""
        self.api.close()
        self.control.close()

    def ask(self, method: str, path: str, body: Json = None, who: dict[str, str] = ANN) -> Json:
        """A request that succeeds."""
        answer = self.api.request(method, path, json=body, headers=who)
        assert answer.is_success, answer.text
        return answer.json()

    def order(self, method: str, path: str, body: Json = None) -> Json:
        """The same of the control plane."""
        answer = self.control.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def start(self) -> None:
        """Ben takes the job."""
        self.ask("POST", f"/jobs/{self.job}/start", who=BEN)

    def finish(self) -> None:
        """Ann calls it done, which ends its streams."""
        self.ask("POST", f"/jobs/{self.job}/finish")

    @contextmanager
    def open(self, **headers: str) -> Iterator[Stream]:
        """The job's stream; ``headers`` with ``_`` for ``-``."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.api.stream("GET", self.events, headers=said) as answer:
            assert answer.status_code == 200, answer.read()
            yield Stream(answer)

    def entries(self) -> list[Json]:
        """The journal's entries."""
        found: list[Json] = self.order("GET", "/journal?limit=1000")["entries"]
        return found

    def closings(self, number: int = 1) -> list[str]:
        """Why streams were closed, once so many were: the twin notices a moment after the client."""
        late = time.monotonic() + 5
        while time.monotonic() < late:
            told = [each["reason"] for each in self.entries() if each["reason"].startswith("stream closed: ")]
            if len(told) >= number:
                return told
            time.sleep(0.02)
        raise AssertionError(self.entries())


def created(job: str) -> bytes:
    """The first event of a job."""
    return b'event: created\nid: 1\ndata: {"id":"%s"}\n\n' % job.encode()


def changed(job: str, number: int, state: str) -> bytes:
    """A later one."""
    return b'event: change\nid: %d\ndata: {"id":"%s","state":"%s"}\n\n' % (number, job.encode(), state.encode())


def ping(job: str) -> bytes:
    """A heartbeat."""
    return b'event: ping\ndata: {"id":"%s"}\n\n' % job.encode()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder, served on a frozen clock; an open job lapses after a second of it."""
    folder = write(tmp_path_factory.mktemp("served"), edited("provider.yaml", "after: 3d", "after: 1s"))
    with serving(str(folder), *FROZEN, "--quiet") as (url, _process):
        yield url


@pytest.fixture
def world(origin: str) -> Iterator[World]:
    """A world that no other test has seen."""
    found = World(origin)
    yield found
    found.close()


# ── the head ─────────────────────────────────────────────────────────────────────────────────────────────────────────

HEAD = {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}


def test_the_head_names_a_stream_that_nobody_keeps_or_holds_back(world: World) -> None:
    with world.open() as stream:
        headers = stream.answer.headers
        assert {name: headers[name] for name in HEAD} == HEAD
        assert "content-length" not in headers
        assert headers["tasktwin-world"] == world.name


def test_head_has_the_same_head_and_leaves_nothing_open(world: World) -> None:
    sent = message("HEAD", f"{world.path}/api{world.events}", [("Connection", "close"), *ANN.items()])
    (reply,) = replies(talk(world.origin, sent), bodiless=True)
    assert (reply.status, reply.body) == (200, b"")
    assert {name: reply.headers[name] for name in HEAD} == HEAD
    assert "content-length" not in reply.headers
    assert world.closings() == ["stream closed: only its head was asked for, after 0 events"]


def test_a_client_of_http_1_0_is_sent_plain_bytes_up_to_the_end(world: World) -> None:
    world.start()
    world.finish()
    lines = [f"GET {world.path}/api{world.events} HTTP/1.0", "Host: twin", *(f"{k}: {v}" for k, v in ANN.items())]
    head, _, body = talk(world.origin, "\r\n".join([*lines, "", ""]).encode()).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert b"transfer-encoding" not in head.lower()
    job = world.job
    assert body == RETRY + created(job) + changed(job, 2, "running") + changed(job, 3, "done")


def test_a_wish_for_a_bounded_stream_is_granted_and_said_so(world: World) -> None:
    answer = world.api.get(world.events, headers=BOUNDED)
    assert answer.headers["preference-applied"] == "stream=bounded"
    assert answer.content == RETRY + created(world.job)
    with world.open() as stream:
        assert "preference-applied" not in stream.answer.headers


def test_what_is_refused_is_no_stream(world: World) -> None:
    target = f"{world.path}/api"
    assert ask(world.origin, "GET", f"{target}{world.events}").status == 401
    assert ask(world.origin, "GET", f"{target}/jobs/none/events", ANN).status == 404
    late = ask(world.origin, "GET", f"{target}{world.events}", {**ANN, "Last-Event-ID": "99"})
    assert (late.status, late.headers["content-type"]) == (410, "application/json")


# ── the readers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_readers_see_the_same_bytes_whenever_they_came(world: World) -> None:
    with ExitStack() as all_of_them:
        early = [all_of_them.enter_context(world.open()) for _ in range(4)]
        world.start()
        late = [all_of_them.enter_context(world.open()) for _ in range(2)]
        world.order("POST", "/events/abandon", {"id": world.job})
        world.start()
        world.finish()
        told = {b"".join(each.rest()) for each in [*early, *late]}
    states = ["running", "open", "running", "done"]
    (said,) = told
    assert said == RETRY + created(world.job) + b"".join(
        changed(world.job, n, each) for n, each in enumerate(states, 2)
    )


def test_another_job_is_not_told_of(world: World) -> None:
    with world.open() as stream:
        other = world.ask("POST", "/jobs", {"title": "Fell", "hours": 1})["id"]
        world.ask("POST", f"/jobs/{other}/start", who=BEN)
        world.start()
        assert stream.read(3) == [RETRY, created(world.job), changed(world.job, 2, "running")]


def test_who_comes_back_goes_on_behind_what_it_knows(world: World) -> None:
    world.start()
    world.finish()
    with world.open(Last_Event_ID="2") as stream:
        assert stream.rest() == [RETRY, changed(world.job, 3, "done")]
    with world.open(Last_Event_ID="3") as stream:
        assert stream.rest() == [RETRY]


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_trouble_for_streams_strikes_no_other_request_and_is_not_used_up_by_any(world: World) -> None:
    world.order("PUT", "/faults", [{"match": {"times": 1}, "do": {"stream": "cut", "byte": 5}}])
    for _ in range(3):
        world.ask("GET", f"/jobs/{world.job}")
    assert [(each["matched"], each["struck"]) for each in world.order("GET", "/faults")] == [(0, 0)]
    with pytest.raises(httpx2.RemoteProtocolError), world.open() as stream:
        stream.rest()
    assert [(each["matched"], each["struck"]) for each in world.order("GET", "/faults")] == [(1, 1)]
    assert world.api.get(world.events, headers=BOUNDED).content == RETRY + created(world.job)
    assert world.closings(2)[0] == "stream closed: cut by a fault, after 1 events"


def test_a_status_strikes_the_connection_that_it_was_ordered_for(world: World) -> None:
    match = {"operation": "watchJob", "after": 1, "times": 1}
    world.order("PUT", "/faults", [{"name": "away", "match": match, "do": {"status": 503}}])
    told = [world.api.get(world.events, headers=BOUNDED) for _ in range(3)]
    assert [each.status_code for each in told] == [200, 503, 200]
    assert told[1].headers["tasktwin-reason"] == "fault: away"
    assert "text/event-stream" not in told[1].headers.get("content-type", "")
    assert world.ask("GET", f"/jobs/{world.job}")["id"] == world.job


def test_trouble_that_is_ordered_later_leaves_open_streams_alone(world: World) -> None:
    with world.open() as stream:
        stream.read(2)
        world.order("PUT", "/faults", [{"do": {"stream": "gap"}}])
        world.start()
        assert stream.read(1) == [changed(world.job, 2, "running")]


# ── worlds that end, and worlds beside each other ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", ["reset", "restore"])
def test_a_world_that_begins_again_ends_its_streams_cleanly(world: World, way: str) -> None:
    world.order("POST", "/snapshots", {"name": "before"})
    with world.open() as stream:
        assert len(stream.read(2)) == 2
        world.order("POST", "/reset" if way == "reset" else "/snapshots/before/restore")
        assert stream.rest() == []
    assert world.closings() == ["stream closed: the world began again, after 1 events"]


def test_a_world_that_is_deleted_ends_its_streams_cleanly(world: World) -> None:
    with world.open() as stream:
        stream.read(2)
        assert httpx2.delete(f"{world.origin}/_tasktwin/worlds/{world.name}", verify=False).status_code == 204
        assert stream.rest() == []


def test_a_world_of_the_same_name_has_nothing_of_the_one_before(world: World) -> None:
    httpx2.delete(f"{world.origin}/_tasktwin/worlds/{world.name}", verify=False)
    assert world.api.get(world.events, headers=BOUNDED).status_code == 404


def test_a_restored_world_tells_what_happened_before_and_what_happens_now(world: World) -> None:
    world.order("POST", "/snapshots", {"name": "before"})
    world.start()
    world.finish()
    world.order("POST", "/snapshots/before/restore")
    with world.open() as stream:
        assert stream.read(2) == [RETRY, created(world.job)]
        world.start()
        assert stream.read(1) == [changed(world.job, 2, "running")]


def test_a_fork_has_the_past_in_common_and_its_events_apart(world: World) -> None:
    wish = {"name": f"{world.name}-fork", "from": world.name}
    assert httpx2.post(f"{world.origin}/_tasktwin/worlds", json=wish, verify=False).status_code == 201
    fork = World(world.origin, name=wish["name"])
    fork.job, fork.events = world.job, world.events
    with world.open() as here, fork.open() as there:
        assert here.read(2) == there.read(2) == [RETRY, created(world.job)]
        fork.start()
        assert there.read(1) == [changed(world.job, 2, "running")]
        world.order("POST", "/clock", {"advance": 2})
        assert here.rest() == [changed(world.job, 2, "lapsed")]
        fork.finish()
        assert there.rest() == [changed(world.job, 3, "done")]
    fork.close()


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_on_a_frozen_clock_nothing_is_said_until_it_is_moved(world: World) -> None:
    world.start()
    with world.open() as stream:
        stream.read(3)
        time.sleep(0.2)
        world.order("POST", "/clock", {"advance": 59})
        world.finish()
        assert stream.rest() == [ping(world.job), ping(world.job), changed(world.job, 3, "done")]


def test_on_a_real_clock_timers_fire_while_only_a_stream_looks(origin: str) -> None:
    world = World(origin, "real")
    began = time.monotonic()
    with world.open() as stream:
        assert stream.rest() == [RETRY, created(world.job), changed(world.job, 2, "lapsed")]
    assert 0.5 < time.monotonic() - began < 3
    world.close()


def test_on_a_clock_of_60_heartbeats_come_sixty_times_as_fast(origin: str) -> None:
    world = World(origin, "x60")
    world.start()
    with world.open() as stream:
        stream.read(3)
        began = time.monotonic()
        assert stream.read(3) == [ping(world.job)] * 3
        assert 0.6 < time.monotonic() - began < 2.5
    world.close()


@pytest.mark.parametrize("mode", ["real", "x60"])
def test_a_clock_that_is_set_going_wakes_who_reads(world: World, mode: str) -> None:
    with world.open() as stream:
        stream.read(2)
        world.order("POST", "/clock", {"mode": mode})
        assert stream.rest() == [changed(world.job, 2, "lapsed")]


def test_a_clock_that_is_stopped_stops_the_heartbeats(origin: str) -> None:
    world = World(origin, "x60")
    world.start()
    with world.open() as stream:
        stream.read(4)
        world.order("POST", "/clock", {"mode": "frozen"})
        time.sleep(0.8)
        world.finish()
        assert len([each for each in stream.rest() if each == ping(world.job)]) <= 1
    world.close()


# ── the contract ─────────────────────────────────────────────────────────────────────────────────────────────────────

NO_CHANGE = edited("openapi.yaml", "event: {enum: [created, change, ping, end]}", "event: {enum: [created, ping]}")


def test_strictly_an_event_that_breaks_the_contract_is_not_sent_and_the_stream_is_cut(tmp_path: Path) -> None:
    with serving(str(write(tmp_path, NO_CHANGE)), *FROZEN, "--quiet") as (url, _process):
        world = World(url)
        with world.open() as stream:
            assert stream.read(2) == [RETRY, created(world.job)]
            world.start()
            with pytest.raises(httpx2.RemoteProtocolError):
                stream.rest()
        assert world.closings() == ["stream closed: its next event would break the contract, after 1 events"]
        closing = next(each for each in world.entries() if each["reason"].startswith("stream closed"))
        assert [(each["where"], each["pointer"]) for each in closing["violations"]] == [("response", "/event")]
        world.close()


def test_in_log_mode_it_is_sent_and_told_in_the_journal(tmp_path: Path) -> None:
    with serving(str(write(tmp_path, NO_CHANGE)), *FROZEN, "--responses", "log", "--quiet") as (url, _process):
        world = World(url)
        with world.open() as stream:
            world.start()
            world.finish()
            job = world.job
            assert stream.rest() == [RETRY, created(job), changed(job, 2, "running"), changed(job, 3, "done")]
        assert world.closings() == ["stream closed: it ended, after 3 events"]
        closing = next(each for each in world.entries() if each["reason"].startswith("stream closed"))
        assert [each["pointer"] for each in closing["violations"]] == ["/event", "/event"]
        world.close()


# ── what is remembered ───────────────────────────────────────────────────────────────────────────────────────────────


def test_coverage_counts_the_events_that_were_told(world: World) -> None:
    assert world.order("GET", "/coverage")["events"] == {}
    world.start()
    with world.open() as one, world.open(Last_Event_ID="1") as other:
        one.read(3)
        other.read(2)
        world.order("POST", "/clock", {"advance": 20})
        one.read(1)
        other.read(1)
    told = world.order("GET", "/coverage")
    assert told["events"] == {"watchJob": {"change": 2, "created": 1, "ping": 2}}
    assert told["operations"]["watchJob"] == {"200": 2}


def test_the_journal_tells_that_a_stream_was_opened_and_why_it_was_closed(world: World) -> None:
    world.start()
    with world.open() as stream:
        (opened,) = [each for each in world.entries() if each["operation"] == "watchJob"]
        world.finish()
        stream.rest()
    assert world.closings() == ["stream closed: it ended, after 3 events"]
    closed = world.entries()[-1]
    assert (opened["status"], opened["principal"]) == (200, "ann")
    assert (closed["path"], closed["operation"], closed["principal"]) == (opened["path"], "", "ann")
    assert opened["number"] < closed["number"]


def test_a_reader_who_leaves_is_told_of_in_the_journal(world: World) -> None:
    with world.open() as stream:
        stream.read(2)
    assert world.closings() == ["stream closed: the client left, after 1 events"]


def test_the_har_has_one_entry_for_each_stream(world: World) -> None:
    with world.open() as stream:
        stream.read(2)
    world.closings()
    entries = world.order("GET", "/journal.har")["log"]["entries"]
    assert [each["request"]["method"] for each in entries] == ["POST", "GET"]
    content = entries[1]["response"]["content"]
    assert (entries[1]["response"]["status"], content["mimeType"]) == (200, "text/event-stream")


def test_in_process_a_stream_is_read_to_the_present_end_of_its_log(tmp_path: Path) -> None:
    with Twin(str(write(tmp_path)), clock="frozen") as twin:
        job = twin.request("POST", "/jobs", json={"title": "Dig", "hours": 2}, as_="ann").json()["id"]
        answer = twin.request("GET", f"/jobs/{job}/events", as_="ann")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        assert answer.content == RETRY + created(job)
        twin.request("POST", f"/jobs/{job}/start", as_="ben")
        again = twin.request("GET", f"/jobs/{job}/events", headers={"Last-Event-ID": "1"}, as_="ann")
        assert again.content == RETRY + changed(job, 2, "running")


def test_in_process_too_an_event_that_breaks_the_contract_is_told(tmp_path: Path) -> None:
    with Twin(str(write(tmp_path, NO_CHANGE)), clock="frozen") as twin:
        twin.request("POST", "/jobs/j1/start", as_="ben")
        answer = twin.request("GET", "/jobs/j1/events", as_="ann")
        assert answer.status == 500 or twin.journal.entries()[-1].violations
