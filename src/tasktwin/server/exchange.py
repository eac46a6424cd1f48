"""One request and its answer, while the pipeline works on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasktwin.behaviour.verb import Call, Outcome
from tasktwin.behaviour.world import World
from tasktwin.contract import Match, Operation, Reading, Violation
from tasktwin.errors import Refusal
from tasktwin.wire import Json

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
    too_large: bool = False
    match: Match[Operation] | None = None
    principal: dict[str, Json] | None = None
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
    def call(self) -> Call:
        """The request as the engine takes it."""
        reading = self.read
        unreadable = next((each.message for each in reading.violations if each.keyword in ("json", "required") and each.where == "body"), "")
        return Call(self.operation.id, self.principal, reading.path, reading.query, reading.header, reading.body, unreadable)

    def credential(self, scheme: str) -> str | None:
        """What the request carries for a security scheme."""
        return self.world.rules.contract.schemes[scheme].credential(self.query, self.headers)

    def refuse(self, kind: str, detail: str = "", **headers: str) -> Refusal:
        """A refusal to raise."""
        return Refusal(kind, detail, headers=headers)
