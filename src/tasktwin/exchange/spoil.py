"""Answers and events that were right, spoilt as a fault orders it. None of this counts as a break of the twin's own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from tasktwin.behaviour.deed import CorruptFault, Corruption, DropFault, TruncateFault
from tasktwin.behaviour.telling import Told
from tasktwin.contract import Violation
from tasktwin.errors import TasktwinError
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.trouble import Trouble
from tasktwin.wire import Json, dumps, loads

UNKNOWN = {"tasktwin_unknown": "pass over what you do not know"}
"""The member that no client knows."""

WRONG_MEDIA = "text/html"

MOST_TRIED = 300
"""So many small changes are tried on a value until one breaks the contract."""

Check: TypeAlias = Callable[[Json], tuple[Violation, ...]]
"""What the contract finds wrong with a value."""


class UnspoiltError(TasktwinError):
    """This cannot be spoilt in the way that was ordered."""


def spoil(exchange: Exchange) -> None:
    """Do to a finished answer what was ordered, and disclose a bundled set of faults."""
    if told := exchange.world.faults.disclosed:
        exchange.extra.append(("tasktwin-faults", told))
    if exchange.fault is None:
        return
    exchange.reason = f"fault: {exchange.fault.name}"
    do = exchange.fault.do
    if isinstance(do, DropFault):
        exchange.cut = -1
    elif isinstance(do, TruncateFault):
        exchange.cut = do.bytes
    elif isinstance(do, CorruptFault):
        _corrupt(exchange, do.what)


def disturbed(exchange: Exchange, *, whole: bool = False) -> Trouble:
    """What the frames of a stream go through; ``whole``: its length is not cut here."""
    do, check = exchange.fault.do if exchange.fault else None, partial(exchange.operation.check_event, exchange.status)
    way = partial(spoil_event, do.what, check=check) if isinstance(do, CorruptFault) else None
    return Trouble(exchange.disturbance, way, do.bytes if isinstance(do, TruncateFault) and not whole else None)


def _corrupt(exchange: Exchange, what: Corruption) -> None:
    if exchange.stream:  # else each of its events is
        exchange.media = WRONG_MEDIA if what == "content-type" else exchange.media
        return
    check = partial(exchange.operation.check_response, exchange.status, exchange.media)
    try:
        exchange.media, exchange.answer = spoil_answer(what, exchange.media, exchange.answer, check)
    except UnspoiltError as error:
        exchange.reason += f" ({error})"


def spoil_answer(what: Corruption, media: str, body: bytes, check: Check) -> tuple[str, bytes]:
    """Media type and body of an answer, spoilt. Raises ``UnspoiltError``."""
    if not body:
        raise UnspoiltError("the answer has no body")
    if what == "content-type":
        return WRONG_MEDIA, body
    if not media.partition(";")[0].strip().endswith(("/json", "+json")):
        raise UnspoiltError("the answer is no JSON")
    if what == "json":
        return media, torn(body)
    return media, dumps(_spoilt(what, loads(body), check))


def spoil_event(what: Corruption, told: Told, check: Check) -> Told:
    """An event of a stream, spoilt; one that cannot be comes back as it is."""
    if not isinstance(told.data, dict | list):
        return told
    if what == "json":
        return replace(told, data=torn(dumps(told.data)).decode(), written=b"")

    def found(data: Json) -> tuple[Violation, ...]:
        return check(replace(told, data=data).value)

    try:
        return replace(told, data=_spoilt(what, told.data, found), written=b"")
    except UnspoiltError:
        return told


def torn(body: bytes) -> bytes:
    """The first half of a JSON text and a comma, which no JSON ends with."""
    return body[: len(body) // 2].decode(errors="ignore").encode() + b","


def with_unknown(value: Json) -> Json:
    """The same with a member that nobody knows in each object."""
    if isinstance(value, dict):
        return {**{key: with_unknown(each) for key, each in value.items()}, **UNKNOWN}
    return [with_unknown(each) for each in value] if isinstance(value, list) else value


def broken(value: Json, check: Check) -> Json:
    """The value with the first small change that breaks the contract. Raises ``UnspoiltError`` if none is found."""
    if not check(value):
        for _, changed in zip(range(MOST_TRIED), _changes(value), strict=False):
            if check(changed):
                return changed
    raise UnspoiltError("the contract cannot be broken here")


def _spoilt(what: Corruption, value: Json, check: Check) -> Json:
    return broken(value, check) if what == "schema" else with_unknown(value)


def _changes(value: Json) -> Iterator[Json]:
    """Values that differ from this one in one place, the outermost first: a member less, or a value of another type."""
    layer: list[tuple[Json, Callable[[Json], Json]]] = [(value, lambda changed: changed)]
    while layer:
        for each, put in layer:
            yield from (put(without) for without in _shortened(each))
            yield put(_other_type(each))
        layer = [(inner, _putting(put, each, key)) for each, put in layer for key, inner in _inner(each)]


def _shortened(value: Json) -> Iterator[Json]:
    """An object without each of its members in turn."""
    if isinstance(value, dict):
        for key in value:
            yield {name: each for name, each in value.items() if name != key}


def _other_type(value: Json) -> Json:
    """A value of another type, which is never ``null``: that may well be allowed."""
    if isinstance(value, dict):
        return []
    return 0 if isinstance(value, str) else "spoilt" if isinstance(value, bool | int | float) else {"spoilt": True}


def _inner(value: Json) -> list[tuple[str | int, Json]]:
    """What is inside, with its key; of a list only the first, since all are alike."""
    if isinstance(value, dict):
        return [*value.items()]
    return [*enumerate(value[:1])] if isinstance(value, list) else []


def _putting(put: Callable[[Json], Json], outer: Json, key: str | int) -> Callable[[Json], Json]:
    """Change what is under a key of a value, and that in what it is in."""

    def change(changed: Json) -> Json:
        copy = outer.copy()
        copy[key] = changed
        return put(copy)

    return change
