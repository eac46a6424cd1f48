"""One request and its answer, while the pipeline works on them."""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from tasktwin.behaviour.asked import Finding
from tasktwin.behaviour.deed import StreamFault
from tasktwin.behaviour.fault import Fault
from tasktwin.behaviour.rules import Rules
from tasktwin.behaviour.stream import Subscription
from tasktwin.behaviour.verb import Call, Outcome
from tasktwin.behaviour.world import World
from tasktwin.contract import Match, Operation, Reading, Violation
from tasktwin.errors import Refusal
from tasktwin.exchange.preference import preferences
from tasktwin.state import Row
from tasktwin.wire import Json, dumps, loads

Headers = Sequence[tuple[bytes, bytes]]

Step = Callable[["Exchange"], None]

_CHANGED = frozenset({"admitted", "credentials", "extra", "left", "wished"})
"""Fields whose values are changed in place."""

_HOST = re.compile(r"([\w.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?", re.ASCII)
"""What may stand in a URL; whatever else a client sends as its ``Host`` is left out of answers."""


@dataclass(eq=False)
class Exchange:
    """``path`` is raw: percent-encoded, without the query, seen from the provider's root. Headers are as ASGI has them.

    Without slots: so what a request never sets costs it nothing, but stands in the class.
    ``too_large`` and ``unmatched`` tell what was found before there was an operation. ``answer`` is the body as bytes.
    ``operation`` is what the request means; it is there once ``match`` is. ``topic`` is the stream that this very
    request began before. ``stream`` is what is sent instead of an answer; ``fault`` and
    ``disturbance`` are the trouble that was ordered for the request and for the stream: after ``cut`` bytes of the
    answer, head included in none, the connection is cut (-1: before its head). ``left`` are the steps still to take,
    after ``pause`` seconds, begun under ``rules``. ``words`` are what the answer to a
    read is remembered by. ``held`` is the idempotency key that nobody else may use meanwhile.
    """

    world: World
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes = b""
    address: str = field(default="", init=False)
    scheme: str = field(default="http", init=False)
    prefix: str = field(default="", init=False)
    too_large: bool = field(default=False, init=False)
    found: Finding | None = field(default=None, init=False)
    late: Refusal | None = field(default=None, init=False)
    match: Match[Operation] | None = field(default=None, init=False)
    operation: Operation = field(init=False, repr=False)
    principal: dict[str, Json] | None = field(default=None, init=False)
    admitted: dict[str, Row | None] = field(default_factory=dict, init=False)
    reading: Reading | None = field(default=None, init=False)
    key: str | None = field(default=None, init=False)
    topic: str = field(default="", init=False)
    outcome: Outcome | None = field(default=None, init=False)
    stream: Subscription | None = field(default=None, init=False)
    fault: Fault | None = field(default=None, init=False)
    left: Iterator[Step] | None = field(default=None, init=False)
    rules: Rules | None = field(default=None, init=False, repr=False)
    pause: float = field(default=0.0, init=False)
    held: str = field(default="", init=False)
    cut: int | None = field(default=None, init=False)
    disturbance: StreamFault | None = field(default=None, init=False)
    status: int = field(default=0, init=False)
    media: str = field(default="application/json", init=False)
    shape: Json = field(default=None, init=False)
    answer: bytes = field(default=b"", init=False)
    reason: str = field(default="", init=False)
    replayed: bool = field(default=False, init=False)
    violations: tuple[Violation, ...] = field(default=(), init=False)
    credentials: dict[str, str | None] = field(default_factory=dict, init=False)
    extra: list[tuple[str, str]] = field(default_factory=list, init=False)
    wished: dict[str, str] | None = field(default=None, init=False)
    words: tuple[Hashable, ...] = field(default=(), init=False, repr=False)

    @property
    def state(self) -> dict[str, Any]:
        """How far it is, to be set again."""
        return {name: copy(value) if name in _CHANGED else value for name, value in self.__dict__.items()}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self.__dict__.clear()
        self.__dict__.update({name: copy(value) if name in _CHANGED else value for name, value in state.items()})

    @property
    def read(self) -> Reading:
        """The request as the contract reads it; read once, when first asked for."""
        if self.reading is None:
            assert self.match is not None
            self.reading = self.operation.read(self.match.path_values, self.query, self.headers, self.body)
        return self.reading

    @property
    def sent(self) -> dict[str, Json]:
        """The body as it was sent, if it is a JSON object; else nothing."""
        try:
            body = loads(self.body)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def origin(self) -> str:
        """Scheme, host and prefix under which the client reached the API."""
        host = next((value.decode("latin-1") for name, value in self.headers if name == b"host"), "")
        return f"{self.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}{self.prefix}"

    def url(self) -> str:
        """The whole URL, as the client asked for it."""
        return f"{self.origin}{self.path}?{self.query.decode('latin-1')}"

    @property
    def call(self) -> Call:
        """The request as the engine takes it."""
        reading = self.read
        return Call(  # by place, for the sake of time
            self.operation.id,
            self.principal,
            reading.path,
            reading.query,
            reading.header,
            reading.body,
            _unreadable(reading.violations) if reading.violations else "",
            self.late,
            self.url,
            self.admitted,
            None,
            {},
            self.topic,
            self.bounded,
        )

    @property
    def wishes(self) -> dict[str, str]:
        """What the client prefers (RFC 7240); read once, when first asked for."""
        if self.wished is None:
            self.wished = preferences(self.headers)
        return self.wished

    @property
    def bounded(self) -> bool:
        """Whether a stream is to end where its log ends now."""
        return self.wishes.get("stream") == "bounded"

    @property
    def caller(self) -> str:
        """The name of who signed in; "" if nobody did."""
        return str(self.principal["name"]) if self.principal else ""

    @property
    def trouble(self) -> Json:
        """What was ordered for it or for its stream, as it was ordered; ``None`` if nothing was."""
        do = self.fault.do if self.fault else self.disturbance
        return do.as_json() if do else None

    def header(self, name: str) -> str | None:
        """The first line of this header, whether the contract declares it or not; ``name`` is in lower case."""
        wanted = name.encode()
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return None

    def carried(self, names: frozenset[bytes]) -> tuple[tuple[bytes, bytes], ...]:
        """The header lines of these names, as they came."""
        return tuple([pair for pair in self.headers if pair[0] in names])

    def credential(self, place: str) -> str | None:
        """What the request carries for a security scheme, or in a field of its body (``body:FIELD``)."""
        if place not in self.credentials:
            self.credentials[place] = self._credential(place)
        return self.credentials[place]

    def _credential(self, place: str) -> str | None:
        if place.startswith("body:"):
            found = self.sent.get(place.removeprefix("body:"))
            return found if isinstance(found, str) and found else None
        scheme = self.world.rules.contract.schemes[place]
        if scheme.location != "header":
            return scheme.credential(self.query, self.headers)
        wanted = scheme.key.encode()
        for name, value in self.headers:
            if name == wanted:
                return scheme.read(value.decode("latin-1").strip())
        return None

    def refuse(self, kind: str, detail: str = "", **headers: str) -> Refusal:
        """A refusal to raise."""
        return Refusal(kind, detail, headers=headers)


def written(body: Json, media: str) -> bytes:
    """A body as it is sent: bytes and texts as they are, all else as JSON."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str) and not media.partition(";")[0].endswith(("/json", "+json")):
        return body.encode()
    return dumps(body)


def _unreadable(violations: tuple[Violation, ...]) -> str:
    """Why the body is none, in the words of the first complaint about that."""
    for each in violations:
        if each.keyword in ("json", "required") and each.where == "body":
            return each.message
    return ""
