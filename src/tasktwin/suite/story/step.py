"""A step of a story, in terms that hold on the deployment and on the oracle alike."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from urllib.parse import quote, urlencode

from tasktwin.contract import Contract
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json, dumps


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that an earlier step's answer holds: its ``step`` (by key) and a JSON pointer into the body."""

    step: int
    pointer: str


Value: TypeAlias = Json
"""A JSON value in which a ``Ref`` may stand in place of any scalar."""

Look: TypeAlias = Callable[[Ref], Json]
"""Finds what a reference stands for. Raises ``KeyError`` if its answer lacks it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request, with references in place of what is not known before. ``key`` names it within its story.

    ``wait`` are seconds that pass before it. ``about`` says what it is for. ``raw`` is sent as it is, in place of ``body``.
    ``base``: an observation at the beginning, which later ones of the same operation and caller are compared with.
    ``listens``: its answer is a stream, which is left open while the story goes on and for so many seconds behind it.
    ``tries``: the place in the body (JSON pointer) whose value is what this step is about.
    ``volley``: steps behind each other with the same number, not 0, are sent at once. ``left``: nobody waits for the answer.
    """

    key: int
    operation: str
    as_: str = ""
    path: Mapping[str, Value] = field(default_factory=dict)
    query: Mapping[str, Value] = field(default_factory=dict)
    headers: Mapping[str, Value] = field(default_factory=dict)
    body: Value = None
    raw: bytes | None = None
    media: str = "application/json"
    wait: float = 0.0
    about: str = ""
    base: bool = False
    volley: int = 0
    left: bool = False
    listens: float = 0.0
    tries: str = ""

    def references(self) -> list[Ref]:
        """What this step takes from earlier answers."""
        return list(refs_in([*self.path.values(), *self.query.values(), *self.headers.values(), self.body]))

    def refs(self) -> set[int]:
        """The steps that this one needs."""
        return {
            ref.step for ref in refs_in([*self.path.values(), *self.query.values(), *self.headers.values(), self.body])
        }

    def request(self, contract: Contract, look: Look) -> Request:
        """The request, by what the references stand for on one side."""
        operation = contract.operations[self.operation]
        path = contract.prefix + operation.path
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(_text(filled(value, look)), safe="@"))
        pairs = [(name, _text(value)) for name, value in filled(dict(self.query), look).items() if value is not None]
        target = path + (f"?{urlencode(pairs)}" if pairs else "")
        headers = {name: _text(filled(value, look)) for name, value in self.headers.items()}
        body = self.raw if self.raw is not None else b"" if self.body is None else dumps(filled(self.body, look))
        if body and "content-type" not in {name.lower() for name in headers}:
            headers["content-type"] = self.media
        return Request(operation.method, target, self.as_, headers, body, operation.id)

    def renamed(self, key: int) -> "Step":
        """The same under another key."""
        return replace(self, key=key)


def probe(contract: Contract, operation: str) -> Request:
    """An operation's request as it is asked whether it may be sent, with nothing filled in."""
    asked = contract.operations[operation]
    return Request(asked.method, contract.prefix + asked.path, operation=operation)


def refs_in(value: Value) -> Iterator[Ref]:
    """Every reference in a value."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from refs_in(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from refs_in(inner)


def filled(value: Value, look: Look) -> Json:
    """A value with what its references stand for. Raises ``KeyError``."""
    if isinstance(value, Ref):
        return look(value)
    if isinstance(value, Mapping):
        return {name: filled(inner, look) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(inner, look) for inner in value]
    return value


def at(value: Json, pointer: str) -> Json:
    """What stands at a JSON pointer. Raises ``KeyError``."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise KeyError(pointer)
    return value


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value if isinstance(value, str) else dumps(value).decode()
