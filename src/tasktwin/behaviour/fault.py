"""Trouble on order: which requests of a world meet it, and what it is.

A fault is ordered as JSON; ``parse_faults`` reads it. Chance comes from the world's seed: the same seed, the same orders
and the same requests in the same order give the same trouble.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from typing import ClassVar, Literal, Protocol, TypeAlias, get_args

from tasktwin.behaviour.order import Order, hint, named, quoted
from tasktwin.errors import MisuseError
from tasktwin.state import Chance
from tasktwin.wire import Json

MOST = 100
"""So many faults a world takes."""

MOST_TIMES = 1_000_000_000
MOST_EVENT = 1_000_000
MOST_BYTE = 16_777_216
MOST_RETRY = 86_400_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a fault may be called: it stands in a header."""

StreamKind: TypeAlias = Literal["cut", "stall", "duplicate", "reorder", "gap", "bom", "crlf", "cr", "retry"]
KINDS: tuple[StreamKind, ...] = get_args(StreamKind)
AT_AN_EVENT = frozenset({"cut", "stall", "duplicate", "reorder", "gap"})

NOT_YET = ("delay", "drop", "truncate")
"""Kinds that are described, but that the twin cannot do yet."""


class Do(Protocol):
    """What a fault does. ``read`` takes it from its order; ``as_json`` writes it as it is ordered."""

    @classmethod
    def read(cls, order: "Order") -> "Do":
        """Raises ``MisuseError`` telling the key and what is wrong."""

    def as_json(self) -> dict[str, Json]:
        """The order, without what it leaves to the default."""


@dataclass(frozen=True, slots=True)
class StatusFault:
    """The request is answered with this status, 200 to 599, in the provider's own words, and has no effect."""

    status: int

    @classmethod
    def read(cls, order: "Order") -> "StatusFault":
        """From ``{"status": code}``."""
        order.takes("status")
        return cls(order.integer("status", 200, 599))

    def as_json(self) -> dict[str, Json]:
        """``{"status": code}``."""
        return {"status": self.status}


@dataclass(frozen=True, slots=True)
class CorruptFault:
    """The answer is spoilt; ``what`` says in which way: ``content-type``, a wrong media type with the right body."""

    what: Literal["content-type"]

    WAYS: ClassVar[tuple[str, ...]] = ("content-type",)
    NOT_YET: ClassVar[tuple[str, ...]] = ("json", "schema")

    @classmethod
    def read(cls, order: "Order") -> "CorruptFault":
        """From ``{"corrupt": "content-type"}``."""
        order.takes("corrupt")
        order.one_of("corrupt", cls.WAYS, cls.NOT_YET)
        return cls("content-type")

    def as_json(self) -> dict[str, Json]:
        """``{"corrupt": what}``."""
        return {"corrupt": self.what}


@dataclass(frozen=True, slots=True)
class StreamFault:
    """A stream is disturbed, from the ``event``-th event of the connection on where the kind strikes at an event.

    ``byte``: so many bytes of that event are sent before the cut; ``None`` is half of them. ``retry``: milliseconds
    that the client is told to wait before it connects again.
    """

    kind: StreamKind
    event: int = 1
    byte: int | None = None
    retry: int = 1_000

    @classmethod
    def read(cls, order: "Order") -> "StreamFault":
        """From ``{"stream": kind, "event"?: n, "byte"?: n, "retry"?: ms}``; the last three only where they mean something."""
        kind: StreamKind = order.one_of("stream", KINDS)
        order.takes("stream", *_options(kind), about=f"stream: {kind}")
        return cls(
            kind,
            order.integer("event", 1, MOST_EVENT, 1),
            order.integer("byte", 0, MOST_BYTE) if "byte" in order.value else None,
            order.integer("retry", 0, MOST_RETRY, 1_000),
        )

    def as_json(self) -> dict[str, Json]:
        """The order, without what it leaves to the default."""
        told = {"event": (self.event, 1), "byte": (self.byte, None), "retry": (self.retry, 1_000)}
        return {"stream": self.kind, **{key: value for key, (value, usual) in told.items() if value != usual}}


DOES: dict[str, type[Do]] = {"status": StatusFault, "corrupt": CorruptFault, "stream": StreamFault}
"""What can be ordered, by the key that orders it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An order. It strikes requests of an operation by a principal (globs), with a probability, after some, so often.

    ``after``: so many matching requests pass untouched first. ``times``: it strikes at most so often, ``None`` without
    end. A caller that nobody knows is the principal ``""``.
    """

    name: str
    do: Do
    operation: str = "*"
    principal: str = "*"
    probability: float = 1
    times: int | None = None
    after: int = 0

    def as_json(self) -> dict[str, Json]:
        """The order as ``parse_faults`` reads it, without what it leaves to the default."""
        usual = {"operation": "*", "principal": "*", "probability": 1, "times": None, "after": 0}
        match = {key: value for key, other in usual.items() if (value := getattr(self, key)) != other}
        return {"name": self.name, **({"match": match} if match else {}), "do": self.do.as_json()}


def parse_faults(
    value: Json, operations: Collection[str] = (), streams: Collection[str] | None = None
) -> tuple[Fault, ...]:
    """Read an order of faults: a list of ``{"name"?, "match"?, "do"}``; who has no name is ``fault-N`` by its place.

    With the names of the ``operations`` there are, each ``match.operation`` must mean at least one of them, and one of
    the ``streams`` if a stream is to be disturbed. Raises
    ``MisuseError``: a JSON pointer to the entry and key, what is wrong, and what was probably meant.
    """
    if not isinstance(value, list):
        raise MisuseError(f"faults are a list, not {named(value)}")
    if len(value) > MOST:
        raise MisuseError(f"{len(value)} faults are more than the {MOST} that a world takes")
    faults: dict[str, Fault] = {}
    for place, each in enumerate(value):
        fault = _read_fault(Order(each, f"/{place}"), f"fault-{place + 1}", operations)
        if fault.name in faults:
            raise MisuseError(f"/{place}/name: {fault.name!r} is the name of /{[*faults].index(fault.name)} already")
        if (
            streams is not None
            and isinstance(fault.do, StreamFault)
            and not any(fnmatchcase(each, fault.operation) for each in streams)
        ):
            known = ", ".join(sorted(streams)) or "none"
            raise MisuseError(f"/{place}/do/stream: {fault.operation!r} answers with no stream; these do: {known}")
        faults[fault.name] = fault
    return tuple(faults.values())


class Faults:
    """The faults of one world: what was ordered, how often each matched a request, and how often it struck."""

    __slots__ = ("_armed", "_seed")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._armed: list[_Armed] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._armed)

    def put(self, faults: Sequence[Fault]) -> None:
        """Replace all. Counters and chance begin anew. Raises ``MisuseError`` for more than ``MOST``."""
        if len(faults) > MOST:
            raise MisuseError(f"{len(faults)} faults are more than the {MOST} that a world takes")
        self._armed = [_Armed(each, self._seed) for each in faults]

    def clear(self) -> None:
        """Forget all."""
        self._armed = []

    def choose(self, operation: str, principal: str, *, stream: bool | None = None) -> Fault | None:
        """The fault that this request meets: the first in order that strikes it, or none.

        ``stream``: only faults that disturb streams, or only others; ``None`` is both. Every fault counts the request
        if it matches, whoever strikes: so none depends on what stands before it, except that one which is forestalled
        has not struck.
        """
        wants = [
            each
            for each in self._armed
            if stream in (None, isinstance(each.fault.do, StreamFault)) and each.wants(operation, principal)
        ]
        if not wants:
            return None
        wants[0].struck += 1
        return wants[0].fault

    def as_json(self) -> list[Json]:
        """The orders, each with ``matched`` and ``struck``."""
        return [{**each.fault.as_json(), "matched": each.matched, "struck": each.struck} for each in self._armed]


class _Armed:
    """A fault at work. Its draws are numbered by the requests that it matched, so that nothing else shifts them."""

    __slots__ = ("_chance", "_is_meant", "fault", "matched", "struck")

    def __init__(self, fault: Fault, seed: int) -> None:
        self.fault = fault
        self.matched = self.struck = 0
        self._chance = Chance(seed, f"fault:{fault.name}")
        self._is_meant = (_glob(fault.operation), _glob(fault.principal))

    def wants(self, operation: str, principal: str) -> bool:
        """Whether it would strike this request, which is counted if it matches."""
        is_operation, is_principal = self._is_meant
        if not (is_operation(operation) and is_principal(principal)):
            return False
        self.matched += 1
        fault = self.fault
        if self.matched <= fault.after or self.struck == fault.times:
            return False
        self._chance.drawn = self.matched - 1
        return fault.probability >= 1 or self._chance.fraction() < fault.probability


def _read_fault(order: Order, name: str, operations: Collection[str]) -> Fault:
    order.takes("name", "match", "do")
    if "do" not in order.value:
        raise order.wrong("do", f"must say what to do: one of {', '.join(DOES)}")
    match = order.inner("match")
    match.takes("operation", "principal", "probability", "times", "after")
    return Fault(
        _read_name(order, name),
        _read_do(order.inner("do")),
        _read_operation(match, operations),
        match.glob("principal"),
        _read_probability(match),
        match.integer("times", 0, MOST_TIMES) if "times" in match.value else None,
        match.integer("after", 0, MOST_TIMES, 0),
    )


def _read_name(order: Order, name: str) -> str:
    given = order.value.get("name", name)
    if not isinstance(given, str) or not NAME.fullmatch(given):
        raise order.wrong("name", f"must be 1 to 64 letters, digits, '.', '_' or '-', not {named(given)}")
    return given


def _read_do(order: Order) -> Do:
    keys = [key for key in order.value if key in DOES or key in NOT_YET]
    if len(keys) != 1:
        if not keys:
            order.takes(*DOES)
        told = f"not {' and '.join(keys)}" if keys else "not nothing"
        raise MisuseError(f"{order.place}: must have exactly one of {', '.join(DOES)}, {told}")
    if keys[0] in NOT_YET:
        raise order.wrong(keys[0], f"the twin cannot do {keys[0]!r} yet. It can do {', '.join(DOES)}")
    return DOES[keys[0]].read(order)


def _read_operation(match: Order, operations: Collection[str]) -> str:
    operation = match.glob("operation")
    if operations and not any(fnmatchcase(each, operation) for each in operations):
        raise match.wrong("operation", f"there is no operation {quoted(operation)}. {hint(operation, operations)}")
    return operation


def _read_probability(match: Order) -> float:
    value = match.value.get("probability", 1)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise match.wrong("probability", f"must be a number from 0 to 1, not {named(value)}")
    return value


def _options(kind: StreamKind) -> tuple[str, ...]:
    """The keys that mean something to a kind of disturbance."""
    at = ("event",) if kind in AT_AN_EVENT else ()
    return (*at, *({"cut": ("byte",), "retry": ("retry",)}.get(kind, ())))


def _glob(pattern: str) -> Callable[[str], object]:
    if pattern == "*":
        return lambda _: True
    return re.compile(translate(pattern)).match
