"""The hub of streams from close by: whom it wakes, what it keeps, and what it says of a feed that has a defect."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.provider.small import edited, write

from tasktwin import create_app
from tasktwin.behaviour.stream import Subscription
from tasktwin.behaviour.telling import Told
from tasktwin.behaviour.worlds import Plan
from tasktwin.exchange.trouble import Trouble
from tasktwin.server.application import Application
from tasktwin.server.asgi import Scope
from tasktwin.server.control.journal_feed import JournalFeed
from tasktwin.server.stream import Hub, Link
from tasktwin.wire import Json, loads

JOB = "/jobs/j2/events"
EVENTS = """\
        - {kinds: [create], event: created, data: {id: $row#/id}}
        - {event: change, data: {id: $row#/id, state: $row#/state}, ends: {state: [done, lapsed]}}
"""
SHARED = edited("provider.yaml", EVENTS, EVENTS.replace("$row#", "$event#/data/row"))
"""What is told follows from the log alone: all readers are told the same."""


class Client:
    """One request to the application: what it sent, and when the client leaves."""

    def __init__(self, path: str, method: str = "GET", body: bytes = b"", world: str = "default") -> None:
        headers = [(b"authorization", b"Bearer ann-token"), (b"tasktwin-world", world.encode())]
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        raw, _, query = path.partition("?")
        self.scope: Scope = {"type": "http", "method": method, "path": raw, "query_string": query.encode()}
        self.scope |= {"headers": headers, "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1)}
        self.sent = b""
        self.status = 0
        self.leaves = asyncio.Event()
        self._body = [body]

    async def receive(self) -> dict[str, Any]:
        """The body, then nothing until the client leaves."""
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take in what comes."""
        self.status = message.get("status", self.status)
        self.sent += message.get("body", b"")

    async def ask(self, app: Application) -> "Client":
        """Play it."""
        await app(self.scope, self.receive, self.send)
        return self


@dataclass(slots=True, eq=False)
class Counted(JournalFeed):
    """Counts how often somebody looked."""

    looked: int = 0

    def take(self) -> list[Told]:
        """Look."""
        self.looked += 1
        return JournalFeed.take(self)


def play(part: Coroutine[Any, Any, None]) -> None:
    """Within five seconds."""

    async def bounded() -> None:
        await asyncio.wait_for(part, 5)

    asyncio.run(bounded())


@pytest.fixture
def app(tmp_path: Path) -> Application:
    """The small provider on a frozen clock."""
    return create_app(str(write(tmp_path, SHARED)), plan=Plan(mode="frozen"))


async def settled() -> None:
    """Let all who were woken run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def entries(app: Application) -> list[Json]:
    """The default world's journal."""
    told = await Client("/_tasktwin/journal").ask(app)
    found: list[Json] = loads(told.sent)["entries"]
    return found


@pytest.mark.memory
def test_only_control_requests_that_change_something_make_all_readers_look(app: Application) -> None:
    async def part() -> None:
        (served,) = app.apps
        feed, reader = Counted(served.worlds.get("other"), 0, {}), Client("/")
        link = Link(reader.scope, reader.receive, reader.send)
        reading = asyncio.create_task(served.hub.serve(feed, Trouble(None), link, lambda _why, _seconds: None))
        await settled()
        before = feed.looked
        for path in ("health", "state", "state/job", "clock", "journal", "faults", "coverage"):
            assert (await Client(f"/_tasktwin/{path}").ask(app)).status == 200
        await settled()
        assert feed.looked == before
        assert (await Client("/_tasktwin/clock", "POST", b'{"advance": 1}').ask(app)).status == 200
        await settled()
        assert feed.looked > before
        reader.leaves.set()
        await reading

    play(part())


def test_what_was_told_is_kept_for_others_until_the_last_reader_leaves(app: Application) -> None:
    async def part() -> None:
        made = await Client("/jobs", "POST", b'{"title": "Dig", "hours": 1}').ask(app)
        path = f"/jobs/{loads(made.sent)['id']}/events"
        clients = [Client(path), Client(path)]
        reading = [asyncio.create_task(each.ask(app)) for each in clients]
        await settled()
        (served,) = app.apps
        world = served.worlds.get("default")
        for each, part in zip(clients, reading, strict=True):
            assert (len(world.frames), b"event: created" in each.sent) == (1, True)
            each.leaves.set()
            await part
        assert clients[0].sent == clients[1].sent
        assert (dict(world.frames), set(world.news), world.watched, served.hub.watches) == ({}, set(), 0, {})

    play(part())


def test_a_defect_in_a_feed_is_called_one_and_the_hub_forgets_the_reader(app: Application) -> None:
    async def part() -> None:
        (served,) = app.apps
        opened = Client(JOB)
        reading = asyncio.create_task(opened.ask(app))
        await settled()
        ((reader,),) = served.hub.watches[served.worlds.get("default")].readers.values()
        assert isinstance(reader.feed, Subscription)
        del reader.feed.position  # as if the twin had forgotten it
        reader.wake()
        with pytest.raises(AttributeError, match="position"):
            await reading
        closing = (await entries(app))[-1]
        assert closing["reason"].partition(",")[0] == "stream closed: the twin has a defect"
        assert served.pipeline.broken == 1
        assert (served.hub.count, served.hub.watches) == (0, {})

    play(part())


def test_a_reader_whose_request_is_given_up_is_not_told_that_the_twin_stopped(app: Application) -> None:
    async def part() -> None:
        reading = asyncio.create_task(Client(JOB).ask(app))
        await settled()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (await entries(app))[-1]["reason"].partition(",")[0] == "stream closed: the client left"

    play(part())


def test_a_twin_that_stops_says_so(app: Application) -> None:
    async def part() -> None:
        reading = asyncio.create_task(Client(JOB).ask(app))
        await settled()
        app.close()
        await reading
        assert (await entries(app))[-1]["reason"].partition(",")[0] == "stream closed: the twin stopped"

    play(part())


def test_no_more_streams_than_the_hub_holds(app: Application) -> None:
    async def part() -> None:
        (served,) = app.apps
        assert isinstance(served.hub, Hub)
        served.hub.count = 10_000
        told = await Client(JOB).ask(app)
        assert (told.status, loads(told.sent)["title"]) == (503, "too many streams")
        assert (await Client("/jobs/j2").ask(app)).status == 200

    play(part())
