"""One request and its answer, while the pipeline works on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasktwin.behaviour.rules import Finding
from tasktwin.behaviour.verb import Call, Outcome
from tasktwin.behaviour.world import World
from tasktwin.contract import Match, Operation, Reading, Violation
from tasktwin.errors import Refusal
from tasktwin.state import Row
from tasktwin.wire import Json, loads

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True)
class Exchange:
    """``path`` is raw: percent-encoded, without the query, seen from the provider's root. Headers are as ASGI has them.

    ``too_large`` and ``unmatched`` tell what was found before there was an operation. ``answer`` is the body as bytes.
    """

    world: World
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes = b""
    address: str = ""
    scheme: str = "http"
    prefix: str = ""
    too_large: bool = False
    found: Finding | None = None
    late: Refusal | None = None
    match: Match[Operation] | None = None
    principal: dict[str, Json] | None = None
    admitted: dict[str, Row] = field(default_factory=dict)
    reading: Reading | None = None
    key: str | None = None
    outcome: Outcome | None = None
    status: int = 0
    media: str = "application/json"
    shape: Json = None
    answer: bytes = b""
    reason: str = ""
    replayed: bool = False
    violations: tuple[Violation, ...] = ()
    credentials: dict[str, str | None] = field(default_factory=dict)
    extra: list[tuple[str, str]] = field(default_factory=list)

    @property
    def operation(self) -> Operation:
        """The operation that the request means. Only after ``match``."""
        assert self.match is not None
        return self.match.operation

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
        host = next((value.decode("latin-1") for name, value in self.headers if name == b"host"), "localhost")
        return f"{self.scheme}://{host}{self.prefix}"

    def url(self) -> str:
        """The whole URL, as the client asked for it."""
        return f"{self.origin}{self.path}?{self.query.decode('latin-1')}"

    @property
    def call(self) -> Call:
        """The request as the engine takes it."""
        reading = self.read
        unreadable = next(
            (
                each.message
                for each in reading.violations
                if each.keyword in ("json", "required") and each.where == "body"
            ),
            "",
        )
        inputs = (reading.path, reading.query, reading.header, reading.body)
        return Call(self.operation.id, self.principal, *inputs, unreadable, self.late, self.url, self.admitted)

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
