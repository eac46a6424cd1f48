"""What a fault does to a request, to its answer or to a stream: read from an order, and told as it is ordered."""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, exp, log, pi, sqrt
from typing import Literal, Protocol, TypeAlias, get_args

from tasktwin.behaviour.order import Order, named
from tasktwin.state import Chance
from tasktwin.wire import Json

MOST_DELAY = 300
"""Seconds that a fault makes a client wait at most, however they are drawn."""

MOST_WAIT = 86_400
"""Seconds that ``Retry-After`` may tell a client to wait."""

MOST_EVENT = 1_000_000
MOST_BYTE = 16_777_216
MOST_RETRY = 86_400_000

StreamKind: TypeAlias = Literal["cut", "stall", "duplicate", "reorder", "gap", "bom", "crlf", "cr", "retry"]
KINDS: tuple[StreamKind, ...] = get_args(StreamKind)
AT_AN_EVENT = frozenset({"cut", "stall", "duplicate", "reorder", "gap"})

When: TypeAlias = Literal["before", "after"]
Corruption: TypeAlias = Literal["json", "schema", "content-type", "unknown-fields"]

BUSY = frozenset({429, 503})
"""Statuses that tell a client to come back, and so when."""


class Do(Protocol):
    """What a fault does. ``read`` takes it from its order; ``as_json`` writes it as it is ordered."""

    @classmethod
    def read(cls, order: Order) -> "Do":
        """Raises ``MisuseError`` telling the key and what is wrong."""

    def as_json(self) -> dict[str, Json]:
        """The order, without what it leaves to the default."""


@dataclass(frozen=True, slots=True)
class DelayFault:
    """The request waits so many real seconds, at most ``MOST_DELAY``, before it has an effect.

    ``lognormal``: the seconds are drawn anew for each request, ``exp(N(mu, sigma))``; ``seconds`` is 0 until then.
    """

    seconds: float = 0
    lognormal: tuple[float, float] | None = None

    @classmethod
    def read(cls, order: Order) -> "DelayFault":
        """From ``{"delay": seconds}`` or ``{"delay": {"lognormal": [mu, sigma]}}``."""
        order.takes("delay")
        if not isinstance(order.value["delay"], dict):
            return cls(order.number("delay", 0, MOST_DELAY))
        inner = order.inner("delay")
        inner.takes("lognormal", about="delay")
        pair = inner.value.get("lognormal")
        if not isinstance(pair, list) or len(pair) != 2:
            raise inner.wrong("lognormal", f"must be a list of two numbers, [mu, sigma], not {named(pair)}")
        both = Order({"0": pair[0], "1": pair[1]}, f"{inner.place}/lognormal")
        return cls(0, (both.number("0", -20, 6), both.number("1", 0, 10)))

    def drawn(self, chance: Chance) -> "DelayFault":
        """The same with its seconds, drawn if they are left to chance: two draws, by Box and Muller."""
        if self.lognormal is None:
            return self
        mu, sigma = self.lognormal
        normal = sqrt(-2 * log(1 - chance.fraction())) * cos(2 * pi * chance.fraction())
        return DelayFault(exp(min(mu + sigma * normal, log(MOST_DELAY))), self.lognormal)

    def as_json(self) -> dict[str, Json]:
        """``{"delay": …}``."""
        return {"delay": {"lognormal": [*self.lognormal]} if self.lognormal else self.seconds}


@dataclass(frozen=True, slots=True)
class StatusFault:
    """The request is answered with this status, 200 to 599, in the provider's own words, and has no effect.

    ``retry_after``: seconds told in ``Retry-After``; ``None`` is 1 for a status of ``BUSY``, and none for all others.
    """

    status: int
    retry_after: int | None = None

    @classmethod
    def read(cls, order: Order) -> "StatusFault":
        """From ``{"status": code, "retry_after"?: seconds}``."""
        order.takes("status", "retry_after")
        told = order.integer("retry_after", 0, MOST_WAIT) if "retry_after" in order.value else None
        return cls(order.integer("status", 200, 599), told)

    @property
    def wait(self) -> int | None:
        """The seconds to tell the client, if any."""
        return 1 if self.retry_after is None and self.status in BUSY else self.retry_after

    def as_json(self) -> dict[str, Json]:
        """``{"status": code, "retry_after"?: seconds}``."""
        told = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return {"status": self.status, **told}


@dataclass(frozen=True, slots=True)
class DropFault:
    """The connection is cut without an answer: ``before`` the request has an effect, or ``after`` it had it."""

    when: When

    @classmethod
    def read(cls, order: Order) -> "DropFault":
        """From ``{"drop": "before"}`` or ``{"drop": "after"}``."""
        order.takes("drop")
        return cls(order.one_of("drop", get_args(When)))

    def as_json(self) -> dict[str, Json]:
        """``{"drop": when}``."""
        return {"drop": self.when}


@dataclass(frozen=True, slots=True)
class TruncateFault:
    """The connection is cut after so many bytes of the answer's body; its head promises all of them."""

    bytes: int

    @classmethod
    def read(cls, order: Order) -> "TruncateFault":
        """From ``{"truncate": bytes}``."""
        order.takes("truncate")
        return cls(order.integer("truncate", 0, MOST_BYTE))

    def as_json(self) -> dict[str, Json]:
        """``{"truncate": bytes}``."""
        return {"truncate": self.bytes}


@dataclass(frozen=True, slots=True)
class CorruptFault:
    """The answer is spoilt; ``what`` says in which way.

    ``json``: the same status and media type, but no JSON. ``schema``: JSON that breaks the contract. ``content-type``:
    a wrong media type with the right body. ``unknown-fields``: every object has a member that no client knows.
    """

    what: Corruption

    @classmethod
    def read(cls, order: Order) -> "CorruptFault":
        """From ``{"corrupt": what}``."""
        order.takes("corrupt")
        return cls(order.one_of("corrupt", get_args(Corruption)))

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
    def read(cls, order: Order) -> "StreamFault":
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


READ: dict[str, Callable[[Order], Do]] = {
    "status": StatusFault.read,
    "delay": DelayFault.read,
    "drop": DropFault.read,
    "truncate": TruncateFault.read,
    "corrupt": CorruptFault.read,
    "stream": StreamFault.read,
}
"""What can be ordered, by the key that orders it."""


def _options(kind: StreamKind) -> tuple[str, ...]:
    """The keys that mean something to a kind of disturbance."""
    at = ("event",) if kind in AT_AN_EVENT else ()
    return (*at, *({"cut": ("byte",), "retry": ("retry",)}.get(kind, ())))
