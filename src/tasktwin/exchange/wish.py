"""``Prefer``: answers that a client wishes for itself, without any effect (``code``, ``example``, ``dynamic``, ``wait``).

A wish is granted after sign-in, limits, idempotency, ordered faults and the check of the request, so that a client that
forgot its credentials or sends a wrong body learns that, whatever it wishes. It comes before the state is looked at:
``code=404`` needs no missing row, and ``code=200`` none that is there. Without a wish nothing is ever made up.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from tasktwin.behaviour.telling import Told
from tasktwin.contract import Violation
from tasktwin.contract.event import EVENT_STREAM
from tasktwin.contract.media import Medium
from tasktwin.contract.response import Response
from tasktwin.contract.sample import NoSampleError, sample
from tasktwin.errors import TasktwinError
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.frame import encode
from tasktwin.wire import Json, dumps, loads

LONGEST: Final = 60.0
"""Seconds that a client may wish to wait."""

BODILESS: Final = frozenset({204, 205, 304})

_STATUS: Final = re.compile("[2-5][0-9]{2}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_TOKEN: Final = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_CONCRETE: Final = {
    "*/*": "application/octet-stream",
    "application/*": "application/octet-stream",
    "text/*": "text/plain",
}

AnswerWith = Callable[[Exchange, int], None]


@dataclass(frozen=True, slots=True)
class WishError(TasktwinError):
    """A wish that cannot be granted, and the status to say so with."""

    detail: str
    status: int = 400

    def __str__(self) -> str:
        """Why not."""
        return self.detail


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wished of an answer: its status (0: the operation's success), a named example, none but a generated one."""

    status: int
    example: str
    dynamic: bool
    wait: float

    @property
    def made(self) -> bool:
        """Whether the answer itself is wished for."""
        return bool(self.status or self.example or self.dynamic)


def read_wish(wishes: Mapping[str, str]) -> Wish:
    """What is wished. Wishes of other names are ignored; raises ``WishError`` for values that mean nothing."""
    code, wait, dynamic = wishes.get("code"), wishes.get("wait"), wishes.get("dynamic", "false")
    if code is not None and not _STATUS.fullmatch(code):
        raise WishError(f"Prefer: code={code!r} is no status: it takes 200 to 599")
    if wait is not None and not (_SECONDS.fullmatch(wait) and float(wait) <= LONGEST):
        raise WishError(f"Prefer: wait={wait!r} is not taken: it takes seconds, such as 2 or 0.5, at most {LONGEST:g}")
    if dynamic.lower() not in ("true", "false"):
        raise WishError(f"Prefer: dynamic={dynamic!r} is neither true nor false")
    return Wish(int(code or 0), wishes.get("example", ""), dynamic.lower() == "true", float(wait or 0))


def grant(exchange: Exchange, answer_with: AnswerWith) -> None:
    """Do as the client wishes: a pause first, then the answer, if one is wished for; ``answer_with`` makes that of an error.

    Raises ``WishError``, and the ``Refusal`` that the request meets anyhow.
    """
    wish = read_wish(exchange.wishes)
    fulfil = partial(_fulfil, wish=wish, answer_with=answer_with)
    if not wish.wait:
        fulfil(exchange)
        return
    exchange.pause = wish.wait
    exchange.left = iter(
        [fulfil, *(exchange.left or ())]
    )  # of a list, so that a copy of it is one: see ``Exchange.state``
    _applied(exchange, "wait")


def _fulfil(exchange: Exchange, wish: Wish, answer_with: AnswerWith) -> None:
    if not wish.made:
        return
    if exchange.late:
        raise exchange.late
    status = wish.status or exchange.operation.success
    exchange.status, exchange.media, exchange.shape, exchange.answer = status, "", None, b""
    response = _declared(exchange, status)
    if status >= 400 and not wish.example and not wish.dynamic:
        answer_with(exchange, status)
    if response is not None:
        if not exchange.media or _broken(exchange, exchange.media, exchange.shape):
            _fill(exchange, wish, response)
        _head(exchange, response)
    exchange.reason, exchange.replayed = "example", True
    for name in ("code", "example") if wish.example else ("code", "dynamic") if wish.dynamic else ("code",):
        _applied(exchange, name)


def _declared(exchange: Exchange, status: int) -> Response | None:
    """What the operation declares for a status; ``None`` if only the API's own errors know it. A default means errors."""
    by_key = exchange.operation.responses.by_key
    found = by_key.get(str(status)) or by_key.get(f"{status // 100}XX")
    found = found or (by_key.get("default") if status >= 400 or len(by_key) == 1 else None)
    known = status >= 400 and any(each.status == status for each in exchange.world.rules.errors.answers.values())
    if found is None and not known:
        raise WishError(f"{exchange.operation.id} does not answer {status}. It declares {', '.join(by_key)}")
    return found


def _fill(exchange: Exchange, wish: Wish, response: Response) -> None:
    """The documented example, else a generated body."""
    exchange.media, exchange.shape, exchange.answer = "", None, b""
    if exchange.status not in BODILESS and response.content:
        exchange.media, exchange.shape = _body(exchange, wish, response)
        exchange.answer = _written(exchange.shape, exchange.media)


def _head(exchange: Exchange, response: Response) -> None:
    """The headers that the contract promises, and after how long to come back."""
    given = {name.lower() for name, _ in exchange.extra}
    for header in response.headers:
        if header.required and header.schema and header.name not in given:
            value = _generated(exchange, partial(sample, header.schema), header.name)
            exchange.extra.append((header.name, value if isinstance(value, str) else dumps(value).decode()))
        elif header.name == "retry-after" and header.name not in given:
            exchange.extra.append((header.name, "1"))


def _body(exchange: Exchange, wish: Wish, response: Response) -> tuple[str, Json]:
    """Media type and value. Raises ``WishError``."""
    if wish.example:
        return _named(exchange, wish.example, response)
    example = response.example
    if example and not wish.dynamic and not _broken(exchange, *example):
        return example
    media = response.content.media.values() if response.content else ()
    medium = min(media, key=lambda each: (each.form != "json", each.form != "text"))
    return _CONCRETE.get(medium.name, medium.name), _generated(exchange, partial(_value, medium), medium.name)


def _named(exchange: Exchange, name: str, response: Response) -> tuple[str, Json]:
    where = f"{exchange.operation.id} with {exchange.status}"
    if name not in response.examples:
        known = ", ".join(response.examples)
        raise WishError(f"{where} has no example {name!r}. " + (f"Known are {known}" if known else "None has a name"))
    media, value = response.examples[name]
    if broken := _broken(exchange, media, value):
        raise WishError(f"the example {name!r} of {where} breaks its own schema: {broken[0].message}", 500)
    return media, value


def _value(medium: Medium, seed: str) -> Json:
    """A generated body. Raises ``NoSampleError``."""
    if medium.schema is None and medium.form == "json":
        return {}
    if medium.name == EVENT_STREAM and medium.event:
        return sample(medium.event, seed)
    if medium.name == EVENT_STREAM or medium.form not in ("json", "text", "bytes"):
        raise NoSampleError(f"nothing is generated for {medium.name}: it needs an example in the document")
    value = sample(medium.schema, seed) if medium.schema else medium.name
    if medium.form != "json" and not isinstance(value, str):
        raise NoSampleError(f"nothing is generated for {medium.name} but text")
    return value


def _generated(exchange: Exchange, make: Callable[[str], Json], name: str) -> Json:
    world, operation = exchange.world, exchange.operation.id
    try:
        return make(f"{world.beginning.seed}:{operation}:{exchange.status}:{name}")
    except NoSampleError as error:
        raise WishError(
            f"{operation} with {exchange.status} has no documented example that fits, and {error}", 501
        ) from None


def _broken(exchange: Exchange, media: str, value: Json) -> tuple[Violation, ...]:
    """What is wrong with a body; that of a stream is one of its events, whose data may stand as a text."""
    if media != EVENT_STREAM or not isinstance(value, dict):
        return exchange.operation.check_response(exchange.status, media, value)
    data = value.get("data")
    try:
        return exchange.operation.check_event(exchange.status, {**value, "data": loads(str(data).encode())})
    except ValueError:
        return exchange.operation.check_event(exchange.status, value)


def _written(value: Json, media: str) -> bytes:
    if media == EVENT_STREAM and isinstance(value, dict):
        return encode(Told(value.get("data"), str(value.get("event", "")), str(value.get("id", ""))))
    is_json = media.partition(";")[0].endswith(("/json", "+json"))
    return value.encode() if isinstance(value, str) and not is_json else dumps(value)


def _applied(exchange: Exchange, name: str) -> None:
    """Tell that a wish was granted: all of them in one line."""
    value = exchange.wishes.get(name)
    if value is None:
        return
    told = f"{name}={value}" if _TOKEN.fullmatch(value) else f'{name}="{value.translate(_QUOTED)}"'
    before = next((each for header, each in exchange.extra if header == "preference-applied"), "")
    exchange.extra = [pair for pair in exchange.extra if pair[0] != "preference-applied"]
    exchange.extra.append(("preference-applied", f"{before}, {told}" if before else told))


_QUOTED: Final = {ord('"'): '\\"', ord("\\"): "\\\\"}
