"""Trouble on order: which requests of a world meet it, and what it is.

A fault is ordered as JSON; ``parse_faults`` reads it. Chance comes from the world's seed: the same seed, the same orders
and the same requests in the same order give the same trouble.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase, translate
from functools import cache
from importlib import resources

from tasktwin.behaviour.deed import READ, DelayFault, Do, StreamFault
from tasktwin.behaviour.order import Order, OrderError, hint, named, quoted
from tasktwin.errors import MisuseError
from tasktwin.state import Chance
from tasktwin.wire import Json, loads

MOST = 100
"""So many faults a world takes."""

MOST_TIMES = 1_000_000_000
LONGEST_ABOUT = 200
"""Characters of what a fault says about itself."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a fault may be called: it stands in a header."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An order. It strikes requests of an operation by a principal (globs), with a probability, after some, so often.

    ``method``: a glob too. ``after``: so many matching requests pass untouched first. ``times``: it strikes at most so
    often, ``None`` without end. A caller that nobody knows is the principal ``""``. ``about`` is for people.
    """

    name: str
    do: Do
    operation: str = "*"
    principal: str = "*"
    probability: float = 1
    times: int | None = None
    after: int = 0
    method: str = "*"
    about: str = ""

    def as_json(self) -> dict[str, Json]:
        """The order as ``parse_faults`` reads it, without what it leaves to the default."""
        match = {key: value for key, other in USUAL.items() if (value := getattr(self, key)) != other}
        told = {"name": self.name, **({"about": self.about} if self.about else {})}
        return {**told, **({"match": match} if match else {}), "do": self.do.as_json()}

    def can_strike(self, operations: Collection[str], streams: Collection[str]) -> bool:
        """Whether an API with these operations, of which some answer with streams, can meet it at all."""
        meant = streams if isinstance(self.do, StreamFault) else operations
        return any(fnmatchcase(each, self.operation) for each in meant)


USUAL: dict[str, Json] = {
    "operation": "*",
    "principal": "*",
    "method": "*",
    "probability": 1,
    "times": None,
    "after": 0,
}
"""What a fault matches if its order does not say."""


@cache
def gentle() -> tuple[Fault, ...]:
    """The bundled set: trouble that a well-written client copes with, so that its user never notices."""
    return parse_faults(loads((resources.files("tasktwin.behaviour") / "gentle.json").read_bytes()))


def parse_faults(
    value: Json, operations: Collection[str] = (), streams: Collection[str] | None = None, pointer: str = ""
) -> tuple[Fault, ...]:
    """Read an order of faults: a list of ``{"name"?, "about"?, "match"?, "do"}``; who has no name is ``fault-N`` by its place.

    ``pointer`` leads to the list. With the names of the ``operations`` there are, each ``match.operation`` must mean at least one of them, and one of
    the ``streams`` if a stream is to be disturbed. Raises
    ``OrderError``: a JSON pointer to the entry and key, what is wrong, and what was probably meant.
    """
    if not isinstance(value, list):
        raise OrderError(pointer, f"faults are a list, not {named(value)}")
    if len(value) > MOST:
        raise OrderError(pointer, f"{len(value)} faults are more than the {MOST} that a world takes")
    faults: dict[str, Fault] = {}
    for place, each in enumerate(value):
        order = Order(each, f"{pointer}/{place}")
        fault = _read_fault(order, f"fault-{place + 1}", operations)
        if fault.name in faults:
            raise order.wrong("name", f"{fault.name!r} is the name of /{[*faults].index(fault.name)} already")
        if streams is not None and isinstance(fault.do, StreamFault) and not fault.can_strike((), streams):
            known = ", ".join(sorted(streams)) or "none"
            told = f"{fault.operation!r} answers with no stream; these do: {known}"
            raise order.inner("do").wrong("stream", told)
        faults[fault.name] = fault
    return tuple(faults.values())


class Faults:
    """The faults of one world: what was ordered, how often each matched a request, and how often it struck.

    ``disclosed`` is the name of a bundled set that is ordered, which every answer tells; "" if none is.
    """

    __slots__ = ("_armed", "_seed", "disclosed")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._armed: list[_Armed] = []
        self.disclosed = ""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._armed)

    def put(self, faults: Sequence[Fault]) -> None:
        """Replace all. Counters and chance begin anew. Raises ``MisuseError`` for more than ``MOST``."""
        if len(faults) > MOST:
            raise MisuseError(f"{len(faults)} faults are more than the {MOST} that a world takes")
        self._armed = [_Armed(each, self._seed) for each in faults]
        self.disclosed = "gentle" if {each.name for each in gentle()} <= {each.name for each in faults} else ""

    def clear(self) -> None:
        """Forget all."""
        self.put(())

    def choose(self, operation: str, principal: str, method: str = "", *, stream: bool | None = None) -> Fault | None:
        """The fault that this request meets: the first in order that strikes it, or none.

        What it leaves to chance is drawn. ``stream``: only faults that disturb streams, or only others; ``None`` is both. Every fault counts the request
        if it matches, whoever strikes: so none depends on what stands before it, except that one which is forestalled
        has not struck.
        """
        wants = [
            each
            for each in self._armed
            if stream in (None, isinstance(each.fault.do, StreamFault)) and each.wants(operation, principal, method)
        ]
        if not wants:
            return None
        return wants[0].strike()

    @property
    def orders(self) -> tuple[Fault, ...]:
        """What was ordered."""
        return tuple([each.fault for each in self._armed])

    @property
    def counts(self) -> list[Json]:
        """How often each matched and struck."""
        return [[each.matched, each.struck] for each in self._armed]

    @counts.setter
    def counts(self, counts: list[Json]) -> None:
        for each, (matched, struck) in zip(self._armed, counts, strict=True):
            each.matched, each.struck = matched, struck

    def as_json(self) -> list[Json]:
        """The orders, each with ``matched`` and ``struck``."""
        return [{**each.fault.as_json(), "matched": each.matched, "struck": each.struck} for each in self._armed]


class _Armed:
    """A fault at work. Its draws are numbered by the requests that it matched, so that nothing else shifts them."""

    __slots__ = ("_chance", "_delay", "_is_meant", "fault", "matched", "struck")

    def __init__(self, fault: Fault, seed: int) -> None:
        self.fault = fault
        self.matched = self.struck = 0
        self._chance = Chance(seed, f"fault:{fault.name}")
        self._delay = Chance(seed, f"fault:{fault.name}:delay")
        self._is_meant = (_glob(fault.operation), _glob(fault.principal), _glob(fault.method))

    def wants(self, operation: str, principal: str, method: str) -> bool:
        """Whether it would strike this request, which is counted if it matches."""
        is_operation, is_principal, is_method = self._is_meant
        if not (is_operation(operation) and is_principal(principal) and is_method(method)):
            return False
        self.matched += 1
        fault = self.fault
        if self.matched <= fault.after or self.struck == fault.times:
            return False
        self._chance.drawn = self.matched - 1
        return fault.probability >= 1 or self._chance.fraction() < fault.probability

    def strike(self) -> Fault:
        """Strike the request that it wanted last."""
        self.struck += 1
        fault = self.fault
        if not isinstance(fault.do, DelayFault):
            return fault
        self._delay.drawn = 2 * self.matched
        return replace(fault, do=fault.do.drawn(self._delay))


def _read_fault(order: Order, name: str, operations: Collection[str]) -> Fault:
    order.takes("name", "about", "match", "do")
    if "do" not in order.value:
        raise order.wrong("do", f"must say what to do: one of {', '.join(READ)}")
    match = order.inner("match")
    match.takes(*USUAL)
    return Fault(
        _read_name(order, name),
        _read_do(order.inner("do")),
        _read_operation(match, operations),
        match.glob("principal"),
        match.number("probability", 0, 1, 1),
        match.integer("times", 0, MOST_TIMES) if "times" in match.value else None,
        match.integer("after", 0, MOST_TIMES, 0),
        match.glob("method"),
        _read_about(order),
    )


def _read_name(order: Order, name: str) -> str:
    given = order.value.get("name", name)
    if not isinstance(given, str) or not NAME.fullmatch(given):
        raise order.wrong("name", f"must be 1 to 64 letters, digits, '.', '_' or '-', not {named(given)}")
    return given


def _read_about(order: Order) -> str:
    given = order.value.get("about", "")
    if not isinstance(given, str) or len(given) > LONGEST_ABOUT:
        raise order.wrong("about", f"must be a text of at most {LONGEST_ABOUT} characters, not {named(given)}")
    return given


def _read_do(order: Order) -> Do:
    keys = [key for key in order.value if key in READ]
    if len(keys) != 1:
        if not keys:
            order.takes(*READ)
        told = f"not {' and '.join(keys)}" if keys else "not nothing"
        raise OrderError(order.place, f"must have exactly one of {', '.join(READ)}, {told}")
    return READ[keys[0]](order)


def _read_operation(match: Order, operations: Collection[str]) -> str:
    operation = match.glob("operation")
    if operations and not any(fnmatchcase(each, operation) for each in operations):
        raise match.wrong("operation", f"there is no operation {quoted(operation)}. {hint(operation, operations)}")
    return operation


def _glob(pattern: str) -> Callable[[str], object]:
    if pattern == "*":
        return lambda _: True
    return re.compile(translate(pattern)).match
