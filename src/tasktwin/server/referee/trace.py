"""What one client did, in order: entries of the journal, read as the provider's rules read requests."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import get_args

from tasktwin.behaviour import idempotency
from tasktwin.behaviour.deed import KINDS, READ, Corruption, When
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Binding, Rules
from tasktwin.behaviour.telling import StreamRule
from tasktwin.behaviour.verb import EVENT_STREAM
from tasktwin.behaviour.world import World
from tasktwin.contract import Match, Operation, Reading
from tasktwin.state import Entry, parse_instant
from tasktwin.state.journal import CLOSED
from tasktwin.wire import Json, dumps, loads

FAULT = "fault: "
"""How the reason of an entry begins that met trouble."""

GROWN = "corrupt: unknown-fields"
"""The order of trouble that leaves an answer right, but with members that no client knows."""

WAYS: dict[str, tuple[str, ...]] = {"drop": get_args(When), "corrupt": get_args(Corruption), "stream": KINDS}
"""The troubles that can be ordered in several ways."""

HARMLESS = ("stream", "status", GROWN)
"""Orders of trouble that leave a client with a whole answer; what a status means it says itself."""

MOST_WAIT = 3_153_600_000
"""Seconds beyond which a Retry-After is none."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One exchange of a client."""

    entry: Entry
    rules: Rules
    now: Scope

    @property
    def instant(self) -> int:
        """The world's time of it, in µs."""
        return self.entry.instant

    @property
    def name(self) -> str:
        """What it is called in a sentence: the operation, or method and path."""
        return self.entry.operation or f"{self.entry.method} {self.path[:80]}"

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.entry.path.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as it was sent."""
        return self.entry.path.partition("?")[2]

    @property
    def closes(self) -> bool:
        """Whether it is no request, but the end of a stream."""
        return self.entry.reason.startswith(CLOSED)

    @cached_property
    def got(self) -> dict[str, str]:
        """The answer's headers, names in lower case."""
        return {name.lower(): value for name, value in self.entry.response_headers}

    @cached_property
    def operation(self) -> Operation | None:
        """What the request meant."""
        return self.rules.contract.operations.get(self.entry.operation)

    @cached_property
    def binding(self) -> Binding | None:
        """What the twin did."""
        return self.rules.bindings.get(self.entry.operation)

    @cached_property
    def reading(self) -> Reading:
        """The request as the contract reads it."""
        found = self.rules.contract.match(self.entry.method, self.path)
        if self.operation is None or not isinstance(found, Match):
            return Reading({}, {}, {}, {})
        headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in self.sent]
        query = self.query.encode("latin-1", "replace")
        return self.operation.read(found.path_values, query, headers, self.entry.request_body)

    @property
    def sent(self) -> Sequence[tuple[str, str]]:
        """The request's headers."""
        return self.entry.request_headers

    @cached_property
    def scope(self) -> Scope:
        """What the provider's expressions see of the request."""
        read = self.reading
        return {
            **self.now,
            "principal": {"name": self.entry.principal},
            "method": self.entry.method,
            "request.path": read.path,
            "request.query": read.query,
            "request.header": read.header,
            "request.body": read.body,
            "request.url": lambda: f"http://localhost{self.entry.path}",
        }

    @cached_property
    def told(self) -> Json:
        """The answer's body as JSON; ``None`` if it is none, or was too long for the journal."""
        return _json(self.entry.response_body)

    @property
    def trouble(self) -> str:
        """What was ordered for it, in a word or two: ``drop: after``, ``status``; "" if nothing was, or had no effect."""
        reason, order = self.entry.reason, self.entry.trouble
        if not reason.startswith(FAULT) or reason.endswith(")") or not isinstance(order, dict):
            return ""
        key = next((key for key in READ if key in order), "")
        return f"{key}: {order[key]}" if key in WAYS else key

    @property
    def failed(self) -> bool:
        """Whether the client got no answer it could use."""
        return self.entry.status >= 500 or (self.unsure and self.trouble != "delay")

    @property
    def unsure(self) -> bool:
        """Whether the client could not know if it took effect: it failed, or the answer may have come too late."""
        return self.entry.status >= 500 or (bool(self.trouble) and not self.trouble.startswith(HARMLESS))

    @property
    def good(self) -> bool:
        """Whether it was answered well and the answer arrived whole."""
        return 200 <= self.entry.status < 400 and not self.unsure

    @property
    def streams(self) -> bool:
        """Whether it was answered with a stream."""
        return self.entry.status == 200 and self.got.get("content-type", "").startswith(EVENT_STREAM)

    @property
    def words(self) -> Hashable:
        """What makes two requests the same."""
        return self.entry.method, self.entry.path, self.entry.request_body

    @cached_property
    def payload(self) -> Hashable:
        """What makes two writes the same: all but the key, wherever it stands."""
        rule, body = self.rules.idempotency, self.entry.request_body
        field = rule.fields.get(self.entry.operation) if rule else None
        value = _json(body) if field else None
        if isinstance(value, dict):
            body = dumps({key: each for key, each in value.items() if key != field})
        return self.entry.method, self.path, body

    @cached_property
    def key(self) -> str | None:
        """The idempotency key that it carried."""
        rule = self.rules.idempotency
        if rule is None or self.operation is None or not self.keyed:
            return None
        read, sent = self.reading, {name.lower(): value for name, value in self.sent}
        headers = {rule.header: sent.get(rule.header), **read.header}
        return idempotency.find_key(rule, self.operation.method, self.operation.id, headers, read.body)

    @property
    def keyed(self) -> bool:
        """Whether a key would have counted."""
        rule, binding = self.rules.idempotency, self.binding
        return bool(rule and binding and binding.verb != "rpc" and self.entry.method in rule.methods)

    @cached_property
    def until(self) -> int | None:
        """The instant before which the answer asked not to come back (``Retry-After``); ``None`` if it did not."""
        text = self.got.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            seconds = int(text[:12])
            return self.instant + seconds * 1_000_000 if seconds <= MOST_WAIT else None
        return _date(text) if text else None

    @cached_property
    def stream(self) -> StreamRule | None:
        """The stream that it asked for, if it was one."""
        binding = self.binding
        if binding is None:
            return None
        method = self.reading.body.get("method") if isinstance(self.reading.body, dict) else None
        called = binding.methods.get(method) if isinstance(method, str) else None
        return binding.stream or (called.stream if called else None)


@dataclass(frozen=True, slots=True)
class Trace:
    """All that one client did in a world, in order. ``seen`` are its requests, ``all`` has the ends of streams too."""

    world: World
    all: tuple[Seen, ...]
    seen: tuple[Seen, ...]

    @property
    def rules(self) -> Rules:
        """The provider's rules."""
        return self.world.rules

    def pairs(self) -> Iterator[tuple[Seen, Seen | None]]:
        """Each request, with the next one of the same operation."""
        following: dict[str, Seen] = {}
        nexts: list[Seen | None] = []
        for each in reversed(self.seen):
            nexts.append(following.get(each.name))
            following[each.name] = each
        return zip(self.seen, reversed(nexts), strict=True)


def trace(world: World, entries: Sequence[Entry]) -> Trace:
    """Read a client's entries."""
    now = world.scope()
    everything = tuple(Seen(each, world.rules, now) for each in entries)
    return Trace(world, everything, tuple(each for each in everything if not each.closes))


def _json(raw: bytes) -> Json:
    try:
        return loads(raw) if raw else None
    except ValueError:
        return None


def _date(text: str) -> int | None:
    """The instant of an HTTP date."""
    try:
        moment = parsedate_to_datetime(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return parse_instant(moment.astimezone(UTC).isoformat())
    except (ValueError, TypeError, OverflowError):
        return None
