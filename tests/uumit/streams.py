"""Streams of the served market as clients read them: through httpx2's own parser, each event held to the contract."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

import httpx2
import jsonschema_rs
from tests.server.front import World

from tasktwin import load
from tasktwin.wire import Json

NOW = "2026-01-01T00:00:00Z"


class Told(NamedTuple):
    """One event: its name, the last identifier that was sent, and what its data say."""

    event: str
    id: str
    said: Json


@cache
def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    """A schema of the document."""
    return jsonschema_rs.Draft202012Validator(
        {**load("uumit").rules.contract.document, "$ref": f"#/components/schemas/{name}"}
    )


class Stream:
    """An open stream. ``schemas`` name that of its events (under ``""``) and that of the data by the event's name."""

    def __init__(self, response: httpx2.Response, schemas: Mapping[str, str]) -> None:
        self.response = response
        self._events = iter(httpx2.EventSource(response))
        self._schemas = schemas

    def next(self) -> Told | None:
        """The next event, which obeys the contract; ``None`` when the stream is closed."""
        event = next(self._events, None)
        if event is None:
            return None
        told = Told(event.event, event.id, event.json())
        identified = {"id": event.id} if event.id else {}
        schema(self._schemas[""]).validate({"event": event.event, "data": event.data, **identified})
        schema(self._schemas[told.event]).validate(told.said)
        return told

    def read(self, number: int) -> list[Told]:
        """So many events, all of which must come."""
        found = [told for _ in range(number) if (told := self.next())]
        assert len(found) == number, "the stream was closed"
        return found

    def rest(self) -> list[Told]:
        """All events until the stream closes."""
        return list(iter(self.next, None))


@contextlib.contextmanager
def streaming(
    world: World, path: str, body: Json, headers: Mapping[str, str], schemas: Mapping[str, str]
) -> Iterator[Stream]:
    """The stream that a POST opens; reading fails after five seconds without a byte."""
    with world.api.stream("POST", path, json=body, headers=dict(headers), timeout=5) as response:
        media = response.headers["content-type"].partition(";")[0]
        assert (response.status_code, media) == (200, "text/event-stream"), response.read()
        yield Stream(response, schemas)


def advance(world: World, seconds: float) -> None:
    """Let the world's time pass."""
    assert world.control.post("/clock", json={"advance": seconds}).is_success
