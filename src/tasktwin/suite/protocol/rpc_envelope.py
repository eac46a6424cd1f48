"""The envelope of JSON-RPC 2.0: what the specification says of every request and response."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from tasktwin.behaviour.rules import Binding
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.story.stage import Taken
from tasktwin.wire import Json, dumps

SPECIFICATION: Final = "https://www.jsonrpc.org/specification"

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602

IDS: Final[tuple[Json, ...]] = ("judge-1", "7", 7, 0, -1, 2**31, "", "ключ")
"""Ids that are to come back as they were sent: those of other types, and those that look like nothing."""

Judged: TypeAlias = tuple[Taken, Mismatch]


@dataclass(frozen=True, slots=True)
class Odd:
    """A request that is none, or that nobody can obey: the code that is to come back, and the ids that may."""

    name: str
    body: Json
    code: int
    raw: bytes | None = None
    keys: tuple[Json, ...] = (None,)


def odd_ones(binding: Binding) -> Iterator[Odd]:
    """Requests that the specification names an error for."""
    with_params = [name for name, method in binding.methods.items() if method.params]
    label = next(iter([*with_params, *binding.methods]), "")
    yield Odd("no JSON", None, PARSE_ERROR, b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    yield Odd("half of JSON", None, PARSE_ERROR, b'{"jsonrpc": "2.0", "id": 1, "method"')
    yield Odd("no request", {"foo": "boo"}, INVALID_REQUEST)
    yield Odd("a number", 1, INVALID_REQUEST)
    yield Odd("an empty batch", [], INVALID_REQUEST)
    yield Odd("a number as method", {"jsonrpc": "2.0", "id": 5, "method": 1}, INVALID_REQUEST, keys=(None, 5))
    yield Odd("no version", {"id": 5, "method": label, "params": {}}, INVALID_REQUEST, keys=(None, 5))
    yield Odd("an unknown method", {"jsonrpc": "2.0", "id": 6, "method": "judge/no"}, METHOD_NOT_FOUND, keys=(6,))
    if with_params:
        call = {"jsonrpc": "2.0", "id": 7, "method": label}
        yield Odd("no parameters", {**call, "params": {}}, INVALID_PARAMS, keys=(7,))
        yield Odd("parameters by position", {**call, "params": ["x"]}, INVALID_PARAMS, keys=(7,))


def formed(taken: Taken, keys: tuple[Json, ...]) -> Iterator[Judged]:
    """Whether an answer is a response object with one of these ids."""
    if not speaks(taken):
        return
    name, about, body = taken.step.operation, taken.step.about, taken.reply.json()
    if taken.reply.status >= 500:
        yield (
            taken,
            wrong(name, "server.error", f"fails at {about}", ("a response", _shown(taken)), certainty.SERVER_ERROR),
        )
    elif not isinstance(body, Mapping):
        basis = section("§5", "a response is an object")
        yield taken, wrong(name, "rpc.response", f"answers no object to {about}", ("a response", _shown(taken)), basis)
    else:
        yield from ((taken, each) for each in _members(name, body))
        if not any(is_same(body.get("id", ...), key) for key in keys):
            kind = "null" if keys == (None,) else type(keys[-1]).__name__
            expected = " or ".join(dumps(key).decode() for key in keys)
            title = f"does not give back an id of the type {kind}"
            basis = section("§5", "id must be the value of the request's id, null if that cannot be told")
            yield taken, wrong(name, "rpc.id", title, (expected, short(body.get("id", "no id"))), basis)


def _members(name: str, body: Mapping[str, Json]) -> Iterator[Mismatch]:
    if body.get("jsonrpc") != "2.0":
        basis = section("§5", 'jsonrpc must be exactly "2.0"')
        yield wrong(
            name, "rpc.version", "does not say its version", ('"2.0"', short(body.get("jsonrpc", "nothing"))), basis
        )
    told = [each for each in ("result", "error") if each in body]
    if len(told) != 1:
        basis = section("§5", "either the result or the error member must be there, but not both")
        yield wrong(
            name, "rpc.response", "tells not one of result and error", ("one", " and ".join(told) or "none"), basis
        )
    error = body.get("error", ...)
    if error is not ... and len(told) == 1 and not _is_error(error):
        basis = section("§5.1", "code must be an integer, message a string")
        yield wrong(name, "rpc.error", "tells an error that is none", ("a code and a message", short(error)), basis)


def coded(taken: Taken, odd: Odd) -> Iterator[Judged]:
    """Whether the error has the code that the specification gives it."""
    body, ours = taken.reply.json(), taken.expected.shape
    if not isinstance(body, Mapping) or not speaks(taken) or not isinstance(ours, Mapping):
        return
    code = code_of(body)
    if code_of(ours) == odd.code and code != odd.code:
        basis = section("§5.1", f"{odd.code} is the code for it")
        title = f"answers with another code to {odd.name}"
        yield taken, wrong(taken.step.operation, "rpc.code", title, (str(odd.code), short(code or body)), basis)


def notified(taken: Taken) -> Iterator[Judged]:
    """A notification is not answered."""
    if speaks(taken) and taken.reply.good and taken.reply.body.strip():
        basis = section("§4.1", "the server must not reply to a notification")
        yield (
            taken,
            wrong(
                taken.step.operation, "rpc.notification", "answers a notification", ("no body", _shown(taken)), basis
            ),
        )


def batched(taken: Taken) -> Iterator[Judged]:
    """A batch of one request, with the id 1, is answered by one response, or refused."""
    name, body = taken.step.operation, taken.reply.json()
    if not speaks(taken):
        return
    if isinstance(body, list):
        if len(body) != 1 or not isinstance(body[0], Mapping) or not is_same(body[0].get("id", ...), 1):
            basis = section("§6", "a batch is answered with one response for each request")
            yield taken, wrong(name, "rpc.batch", "answers a batch otherwise", ("one response", _shown(taken)), basis)
    elif not isinstance(body, Mapping) or code_of(body) is None:
        basis = section("§6", "a batch is answered with an array")
        title = "neither obeys nor refuses a batch"
        yield taken, wrong(name, "rpc.batch", title, ("an array, or an error", _shown(taken)), basis)


def speaks(taken: Taken) -> bool:
    """Whether JSON-RPC is what is to be answered: not to those who are not signed in."""
    ours = taken.expected.shape
    expected = (isinstance(ours, Mapping) and "jsonrpc" in ours) or taken.expected.status == 204
    return expected and not taken.broken and taken.reply.status != 0 and not taken.reply.cut


def section(place: str, text: str) -> Basis:
    """What the specification says there."""
    return Basis("standard", f"JSON-RPC 2.0 {place}: {text}.", SPECIFICATION)


def wrong(name: str, rule: str, title: str, told: tuple[str, str], basis: Basis) -> Mismatch:
    """A break of the envelope; ``told`` are the expected and the actual."""
    return Mismatch(rule, f"{name} {title}", *told, basis, f"{rule}:{name}:{title}", goes_on=True)


def code_of(body: Mapping[str, Json]) -> Json:
    """The code of an error, ``None`` if there is none."""
    error = body.get("error")
    return error.get("code") if isinstance(error, Mapping) else None


def is_same(value: Json, key: Json) -> bool:
    """Whether two ids are the same and of one type; a number may be written in several ways."""
    if isinstance(value, bool) or isinstance(key, bool) or value is None or key is None:
        return value is key
    if isinstance(value, int | float) and isinstance(key, int | float):
        return value == key
    return type(value) is type(key) and bool(value == key)


def _is_error(error: Json) -> bool:
    if not isinstance(error, Mapping):
        return False
    code = error.get("code")
    return isinstance(code, int) and not isinstance(code, bool) and isinstance(error.get("message"), str)


def _shown(taken: Taken) -> str:
    return f"{taken.reply.status} {short(taken.reply.body[:200].decode('utf-8', 'replace'))}"
