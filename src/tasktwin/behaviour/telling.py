"""How a stream tells what stands in the log: the rules that a provider's data give, compiled.

``Told`` is one event as a client will see it; server-sent events know no more (WHATWG HTML §9.2).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tasktwin.behaviour.condition import ALWAYS, Condition
from tasktwin.behaviour.expression import Reader, Scope
from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.state import Event, Row
from tasktwin.wire import Json

Ids: TypeAlias = Literal["none", "number", "time", "row"]
"""What the ``id`` of an event is made of: nothing, its number in the log, ``<ms>-<serial>``, or ``<row's id>:<number>``."""


@dataclass(slots=True)
class Told:
    """One event of a stream, or a comment. ``data`` is a JSON value, a text, or ``None`` for none at all.

    ``beat``: it only says that the stream is alive. ``ends``: nothing follows it. ``sound`` and ``written`` are for
    whoever sends it: that it was held against the contract, and its bytes.
    """

    data: Json = None
    event: str = ""
    id: str = ""
    comment: str = ""
    retry: int | None = None
    beat: bool = False
    ends: bool = False
    sound: bool = False
    written: bytes = b""

    @property
    def value(self) -> dict[str, Json]:
        """What the contract's event schema describes: ``event`` and ``id`` where they are set, ``data`` decoded."""
        named = {"event": self.event} if self.event else {}
        return {**named, **({"id": self.id} if self.id else {}), "data": self.data}


@dataclass(frozen=True, slots=True)
class Saying:
    """What is told on some occasion: an event's name, and the template of its data; or a comment."""

    event: str = ""
    data: Reader | None = None
    comment: str = ""

    def told(self, scope: Scope, *, beat: bool = False, ends: bool = False) -> Told:
        """The event for the client; without an id."""
        data = self.data(scope) if self.data else None
        return Told(data, self.event, comment=self.comment, beat=beat, ends=ends)


@dataclass(frozen=True, slots=True)
class Telling:
    """How events of some kinds (of all, if none are named) are told. Without ``say`` nothing is.

    ``identified``: with an id. ``ends``: on which rows it is the last; ``None`` means never.
    """

    kinds: frozenset[str] = frozenset()
    say: Saying | None = None
    when: Condition = ALWAYS
    identified: bool = True
    ends: Condition | None = None

    def fits(self, scope: Scope, kind: str, row: Row) -> bool:
        """Whether this is the line for such an event."""
        return (not self.kinds or kind in self.kinds) and self.when.holds(scope, row)


@dataclass(frozen=True, slots=True)
class Pause:
    """What is told when so much time (µs of the world's clock) has passed."""

    span: int
    say: Saying


@dataclass(frozen=True, slots=True)
class StreamRule:
    """One stream. ``gone`` and ``bad_id`` are refusal kinds; ``gone`` is empty where a reader goes on with what is left.

    ``shared``: what is told depends on the log alone, so that all readers are told the same.
    """

    topic: Reader
    events: tuple[Telling, ...]
    provenance: Provenance
    begin: Reader
    resume: Reader
    ids: Ids = "number"
    now: Telling | None = None
    gone: str = "gone"
    bad_id: "str | Saying" = "invalid"
    retry: int | None = None
    heartbeat: Pause | None = None
    wait: Pause | None = None
    lasts: Pause | None = None
    bounded: bool = False
    shared: bool = False

    def find(self, scope: Scope, event: Event, row: Row) -> Telling | None:
        """The line that says how an event is told."""
        return next((each for each in self.events if each.fits(scope, event.kind, row)), None)

    def identify(self, event: Event, key: str) -> str:
        """The event's ``id``; ``key`` is the identifier of the row that the stream is about."""
        if self.ids == "time":
            return f"{event.instant // 1000}-{event.serial}"
        if self.ids == "row":
            return f"{key}:{event.number}"
        return str(event.number) if self.ids == "number" else ""
