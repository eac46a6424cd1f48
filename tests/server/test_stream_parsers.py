"""Parsers of server-sent events that others wrote read every stream, and agree event by event with what was caused.

Each reads over a socket of its own. Where one of them departs from the standard (WHATWG HTML §9.2), ``DEPARTURES`` says
how and why, and the test holds it to that, so that the table stays true.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from logging import Logger
from pathlib import Path
from typing import TypeAlias

import httpx
import httpx2
import httpx_sse
import pytest
import sseclient
import urllib3
from ld_eventsource import SSEClient  # type: ignore[import-untyped]
from ld_eventsource.actions import Event as LdEvent  # type: ignore[import-untyped]
from ld_eventsource.actions import Fault as LdFault
from ld_eventsource.config import (  # type: ignore[import-untyped]
    ConnectionClient,
    ConnectionResult,
    ConnectStrategy,
    ErrorStrategy,
)
from tests import npm
from tests.server.front import ADA, ALICE, OTTO, serving

from tasktwin.wire import Json

NOW = "2026-05-12T09:30:00Z"
MS = 1_778_578_200_000
NODE = ("eventsource-parser@4.1.3",)
SCRIPT = str(Path(__file__).with_name("parse_events.mjs"))
CUT = (httpx.TransportError, httpx2.TransportError, urllib3.exceptions.HTTPError)

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Request:
    """What opens a stream. ``count``: so many events are wanted; 0 for all until it ends."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """One event. ``id`` is the last one that was told, as the standard has it; ``data`` is what its JSON means."""

    event: str
    id: str
    data: Json


# ── the parsers ──────────────────────────────────────────────────────────────────────────────────────────────────────

Event: TypeAlias = tuple[str, str, str]
"""Name, last id and text of an event."""
Parser: TypeAlias = Callable[[Request], Iterator[Event]]


def by_httpx2(asked: Request) -> Iterator[Event]:
    """Of the client that this suite uses throughout."""
    with (
        httpx2.Client(verify=False, timeout=10) as client,
        client.stream(asked.method, asked.url, headers=asked.headers, content=asked.body) as answer,
    ):
        for told in httpx2.EventSource(answer):
            yield told.event, told.id, told.data


def by_httpx_sse(asked: Request) -> Iterator[Event]:
    """The usual companion of httpx; httpx2's is made from an older one of its versions."""
    with (
        httpx.Client(verify=False, timeout=10) as client,
        httpx_sse.connect_sse(
            client, asked.method, asked.url, headers=dict(asked.headers), content=asked.body
        ) as source,
    ):
        for told in source.iter_sse():
            yield told.event, told.id, told.data


def by_sseclient(asked: Request) -> Iterator[Event]:
    """sseclient-py, on bytes that urllib3 reads. It tells of an event its own id only."""
    with urllib3.PoolManager() as pool:
        answer = _open(pool, asked)
        last = ""
        for told in sseclient.SSEClient(answer.stream(4096)).events():
            last = told.id or last
            yield told.event, last, told.data


def by_launchdarkly(asked: Request) -> Iterator[Event]:
    """LaunchDarkly's, which connects again by itself, with the last id, after a cut."""
    again = ErrorStrategy.continue_with_max_attempts(4)
    with SSEClient(_Connect(asked), initial_retry_delay=0.01, error_strategy=again) as client:
        for each in client.all:
            if isinstance(each, LdEvent):
                yield each.event, each.last_event_id or "", each.data
            elif isinstance(each, LdFault) and each.error is None:
                return


class _Connect(ConnectStrategy, ConnectionClient):  # type: ignore[misc]
    """Its own way to connect knows no POST."""

    def __init__(self, asked: Request) -> None:
        self.asked = asked
        self.pool = urllib3.PoolManager()

    def create_client(self, _logger: Logger) -> ConnectionClient:
        return self

    def connect(self, last_event_id: str | None) -> ConnectionResult:
        answer = _open(self.pool, going_on(self.asked, last_event_id or ""))
        return ConnectionResult(answer.stream(4096), answer.close)

    def close(self) -> None:
        self.pool.clear()


def by_eventsource_parser(asked: Request) -> Iterator[Event]:
    """eventsource-parser in Node, which most JavaScript clients are built on."""
    wanted = {"method": asked.method, "url": asked.url, "headers": asked.headers}
    wanted |= {"body": asked.body.decode(), "count": asked.count}  # type: ignore[dict-item]
    done = npm.run(NODE, SCRIPT, str(npm.install(NODE)), json.dumps(wanted))
    assert done.returncode == 0, done.stderr
    for line in filter(None, done.stdout.split("\n")):  # not splitlines, which cuts at U+2028, too
        told = json.loads(line)
        if "cut" in told:
            raise httpx2.RemoteProtocolError(told["cut"])
        yield told["event"], told["id"], told["data"]


def _open(pool: urllib3.PoolManager, asked: Request) -> urllib3.BaseHTTPResponse:
    answer = pool.request(
        asked.method,
        asked.url,
        headers=asked.headers,
        body=asked.body,
        preload_content=False,
        retries=False,
        timeout=10,
    )
    assert answer.status == 200, answer.data
    return answer


PARSERS: dict[str, Parser] = {
    "httpx2": by_httpx2,
    "httpx-sse": by_httpx_sse,
    "sseclient-py": by_sseclient,
    "launchdarkly": by_launchdarkly,
    "eventsource-parser": by_eventsource_parser,
}


def going_on(asked: Request, last: str) -> Request:
    """The same request, to go on after an event."""
    return replace(asked, headers={**asked.headers, "Last-Event-ID": last}) if last else asked


def read(parse: Parser, asked: Request) -> list[Told]:
    """All that a parser tells; after a cut it goes on with the last id, at most three times."""
    told: list[Told] = []
    for _ in range(4):
        try:
            for event, last, data in islice(parse(going_on(asked, told[-1].id if told else "")), asked.count or None):
                told.append(Told(event, last, json.loads(data) if data else None))
        except CUT:
            continue
        return told
    raise AssertionError(f"cut off each time; until then came {told}")


# ── the streams ──────────────────────────────────────────────────────────────────────────────────────────────────────


class World:
    """A world of a provider, which no other test has seen."""

    def __init__(self, origin: str, provider: str) -> None:
        self.url = f"{origin}/{provider}/_tasktwin/worlds/parsers-{next(_NUMBERS)}"
        self.api = httpx2.Client(base_url=f"{self.url}/api", verify=False)
        self.control = httpx2.Client(base_url=f"{self.url}/control", verify=False)

    def close(self) -> None:
        """Hang up."""
        self.api.close()
        self.control.close()

    def ask(self, method: str, path: str, headers: dict[str, str], body: Json = None) -> Json:
        """A request that succeeds."""
        answer = self.api.request(method, path, headers=headers, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def set(self, method: str, path: str, body: Json) -> Json:
        """Something of the control plane."""
        answer = self.control.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def wait_for(self, operation: str) -> None:
        """Until a stream is open."""
        for _ in range(500):
            if self.control.get("/journal", params={"operation": operation}).json()["entries"]:
                return
            time.sleep(0.01)
        raise AssertionError(f"nobody asked for {operation}")


Enter: TypeAlias = Callable[[str], World]


@dataclass(frozen=True, slots=True)
class Stream:
    """One of the streams there are: how it is asked for, and what causes all its events, which come back."""

    provider: str
    operation: str  # "" where the control plane is asked, which the journal does not tell of
    asked: Callable[[World], Request]
    cause: Callable[[World], list[Told]]


KEY = {"Authorization": "Bearer phx_ada_all"}
RUN_ID = "20000000-0000-4000-8000-000000000002"
TASK_ID = "10000000-0000-4000-8000-000000000001"
RUN = f"/api/projects/@current/tasks/{TASK_ID}/runs/{RUN_ID}/"
STATE = ("status", "stage", "output", "branch", "error_message", "updated_at", "completed_at")
HARD = (
    "plain",
    " : leading\tand trailing ",
    "two\nlines\r\nand\rmore",
    "\u2028 \u0085 \u000b \ufeff",
    "发票 🧾",
    "data: x",
)
"""Texts that a careless parser cuts into lines, strips, or takes for fields."""


def _line(text: str) -> Json:
    told = {"jsonrpc": "2.0", "method": "_posthog/console", "params": {"message": text}}
    return {"type": "notification", "timestamp": NOW, "notification": told}


def _run_stream(world: World) -> Request:
    return Request("GET", f"{world.url}/api{RUN}stream/", KEY)


def _cause_run(world: World) -> list[Told]:
    """The log grows, the run changes and is completed."""
    lines = [_line(text) for text in HARD]
    world.ask("POST", f"{RUN}append_log/", KEY, {"entries": lines})
    changed = _state(world.ask("PATCH", RUN, KEY, {"stage": "测试"}))
    world.set("POST", "/clock", {"advance": 1.5})
    world.ask("POST", f"{RUN}append_log/", KEY, {"entries": lines[:1]})
    world.set("POST", "/events/complete", {"id": RUN_ID})
    last = world.ask("GET", f"{RUN}session_logs/", KEY)[-1]
    data = [*lines, changed, lines[0], last, _state(world.ask("GET", RUN, KEY))]
    ids = [f"{MS}-{number}" for number in range(7)] + [f"{MS + 1500}-{number}" for number in range(3)]
    return [Told("message", last_id, each) for last_id, each in zip(ids, data, strict=True)]


def _state(run: Json) -> Json:
    told = {"type": "task_run_state", "run_id": run["id"], "task_id": run["task"]}
    return told | {field: run[field] for field in STATE}


DESCRIPTION = "帮我设计一个 Logo, 预算 500 元。A tea house: 茶馆 🍵"
STAGES = {"tasks": ("已理解您的需求", "正在起草任务"), "skills": ("已理解您的技能", "正在起草技能")}


def _draft_stream(what: str, world: World) -> Request:
    body = json.dumps({"description": DESCRIPTION}).encode()
    return Request(
        "POST", f"{world.url}/api/api/v1/{what}/ai-create", {**ALICE, "Content-Type": "application/json"}, body
    )


def _cause_draft(what: str, fields: Sequence[str], world: World) -> list[Told]:
    """Time passes; what was made is then read as anybody reads it."""
    world.set("POST", "/clock", {"advance": 10})
    (row,) = world.control.get("/state/generation").json()["items"]
    made = world.ask("GET", f"/api/v1/{what}/{row['result']['id']}", ALICE)["data"]
    said = zip(("understood", "drafting"), STAGES[what], strict=True)
    stages = [("stage", {"stage": stage, "message": message}) for stage, message in said]
    parts = [("partial", {"field": field, "value": made[field]}) for field in fields]
    events = [*stages, *parts, ("done", made)]
    return [Told(name, f"{row['id']}:{number}", data) for number, (name, data) in enumerate(events, 1)]


ORDER = "40000000-0000-4000-8000-000000000001"
TRANSACTION = f"/api/v1/transactions/{ORDER}"


def _rpc(method: str, number: Json) -> Json:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": {"id": ORDER}}


def _order_stream(world: World) -> Request:
    body = json.dumps(_rpc("tasks/sendSubscribe", "订阅-1")).encode()
    return Request("POST", f"{world.url}/api/a2a", {**ADA, "Content-Type": "application/json"}, body)


def _cause_order(world: World) -> list[Told]:
    """An order is frozen, accepted, delivered and confirmed over REST; after each step A2A is asked how it stands."""
    told = [Told("task", "", _task(world))]
    steps: list[tuple[str, dict[str, str], Json]] = [
        ("freeze", ADA, None),
        ("accept", OTTO, None),
        ("deliver", OTTO, {"result_payload": {"text": "发票\n🧾"}}),
        ("confirm", ADA, None),
    ]
    for number, (step, who, body) in enumerate(steps, 1):
        world.ask("POST", f"{TRANSACTION}/{step}", who, body)
        told.append(Told("task", str(number), _task(world)))
    return told


def _task(world: World) -> Json:
    return world.ask("POST", "/a2a", ADA, _rpc("tasks/get", "订阅-1"))


def _journal_stream(world: World) -> Request:
    return Request("GET", f"{world.url}/control/journal/stream?since=0", {}, count=3)


def _cause_entries(world: World) -> list[Told]:
    """Something is asked, refused and lost."""
    world.ask("POST", f"{RUN}append_log/", KEY, {"entries": [_line(text) for text in HARD]})
    world.api.get(RUN)
    world.api.get("/nope?发票=🧾", headers=KEY)
    entries: list[Json] = world.control.get("/journal").json()["entries"]
    return [Told("message", str(each["number"]), each) for each in sorted(entries, key=lambda each: each["number"])]


STREAMS = {
    "PostHog run": Stream("posthog", "streamRun", _run_stream, _cause_run),
    "UUMit task by description": Stream(
        "uumit",
        "createTaskByDescription",
        partial(_draft_stream, "tasks"),
        partial(_cause_draft, "tasks", ("title", "description", "category", "mode", "bounty_amount")),
    ),
    "UUMit skill by description": Stream(
        "uumit",
        "createSkillByDescription",
        partial(_draft_stream, "skills"),
        partial(_cause_draft, "skills", ("name", "description", "category", "mode", "ut_price")),
    ),
    "UUMit subscription": Stream("uumit", "sendAgentRequest", _order_stream, _cause_order),
    "journal": Stream("posthog", "", _journal_stream, _cause_entries),
}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Both providers that have streams, at a fixed time."""
    with serving("posthog", "uumit", "--quiet", "--now", NOW, "--clock", "frozen") as (url, _process):
        yield url


@pytest.fixture
def enter(origin: str) -> Iterator[Enter]:
    """A new world of a provider."""
    with ExitStack() as stack:
        yield lambda provider: stack.enter_context(closing(World(origin, provider)))


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_each_stream_tells_what_was_caused_while_it_was_open(stream: Stream, parse: Parser, enter: Enter) -> None:
    world = enter(stream.provider)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, parse, stream.asked(world))
        if stream.operation:
            world.wait_for(stream.operation)
        caused = stream.cause(world)
        assert reading.result(timeout=20) == caused


# ── disturbed, but legal ─────────────────────────────────────────────────────────────────────────────────────────────

Change: TypeAlias = Callable[[list[Told]], list[Told]]


def _same(told: list[Told]) -> list[Told]:
    return told


FAULTS: dict[str, tuple[Json, Change]] = {
    "bom": ({"stream": "bom"}, _same),
    "crlf": ({"stream": "crlf"}, _same),
    "cr": ({"stream": "cr"}, _same),
    "retry": ({"stream": "retry", "retry": 20}, _same),
    "duplicate": ({"stream": "duplicate", "event": 3}, lambda told: [*told[:3], *told[2:]]),
    "gap": ({"stream": "gap", "event": 3}, lambda told: [*told[:2], *told[3:]]),
    "reorder": ({"stream": "reorder", "event": 3}, lambda told: [*told[:2], told[3], told[2], *told[4:]]),
    "cut between events": ({"stream": "cut", "event": 3, "byte": 0}, _same),
    "cut inside an event": ({"stream": "cut", "event": 3, "byte": 20}, _same),
    "cut at byte 100": ({"stream": "cut", "event": 3, "byte": 100}, _same),
}
"""The orders, and how the events then differ from the log."""


def _first_line_lost(told: list[Told]) -> list[Told]:
    first = told[0]
    return [replace(first, id="") if first.event == "message" else replace(first, event="message"), *told[1:]]


def _one_of_nothing(told: list[Told]) -> list[Told]:
    return [Told("message", "", None), *told]


MARK = "takes the byte order mark for a part of the first line's name, so that this line is lost; it is to be dropped"
RETRY = "tells of an event without data, where only the time to reconnect was set; it is to be told of nothing"
DEPARTURES: dict[tuple[str, str], tuple[Change, str]] = {
    ("httpx2", "bom"): (_first_line_lost, MARK),
    ("httpx-sse", "bom"): (_first_line_lost, MARK),
    ("sseclient-py", "bom"): (_first_line_lost, MARK),
    ("launchdarkly", "bom"): (_first_line_lost, MARK),
    ("httpx2", "retry"): (_one_of_nothing, RETRY),
    ("httpx-sse", "retry"): (_one_of_nothing, RETRY),
}
"""Where a parser is wrong: what it tells instead, and why that is wrong. eventsource-parser is right throughout."""


def _order(world: World, operation: str, fault: str) -> None:
    world.set("PUT", "/faults", [{"match": {"operation": operation, "times": 1}, "do": FAULTS[fault][0]}])


def _disturbed(caused: list[Told], parser: str, fault: str) -> list[Told]:
    depart, _ = DEPARTURES.get((parser, fault), (_same, ""))
    return depart(FAULTS[fault][1](caused))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("parser", PARSERS)
def test_a_disturbed_stream_differs_from_the_log_exactly_as_ordered(parser: str, fault: str, enter: Enter) -> None:
    world = enter("posthog")
    caused = _cause_run(world)
    _order(world, "streamRun", fault)
    assert read(PARSERS[parser], _run_stream(world)) == _disturbed(caused, parser, fault)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stream", [name for name, each in STREAMS.items() if each.operation])
def test_each_stream_can_be_disturbed_while_it_is_open(stream: str, fault: str, enter: Enter) -> None:
    each = STREAMS[stream]
    world = enter(each.provider)
    _order(world, each.operation, fault)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, by_httpx2, each.asked(world))
        world.wait_for(each.operation)
        caused = each.cause(world)
        assert reading.result(timeout=20) == _disturbed(caused, "httpx2", fault)
