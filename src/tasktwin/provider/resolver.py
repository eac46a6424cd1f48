"""The names that a provider's data uses, resolved: what stands for nothing is told with what was probably meant."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from tasktwin.behaviour.condition import Condition, compile_condition
from tasktwin.behaviour.expression import Reader, compile_template
from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.behaviour.rules import (
    ENGINE_KINDS,
    Collection,
    Effect,
    Paging,
)
from tasktwin.behaviour.seed import parse_duration
from tasktwin.contract import Contract, Operation, Schema
from tasktwin.contract.violation import token
from tasktwin.errors import DataError, Problem
from tasktwin.provider.names import no_field
from tasktwin.provider.yaml_file import did_you_mean
from tasktwin.wire import Json

T = TypeVar("T")
Data = Mapping[str, Any]
Tried = Callable[..., bool]

PROVENANCE = re.compile(r"(stated|observed) ([A-Za-z0-9][A-Za-z0-9._-]*)|(assumed): (\S.*)", re.ASCII)
UNTOLD = Provenance("assumed", "the data does not say")


def parse_provenance(mark: Json) -> Provenance:
    """``stated TAG``, ``observed TAG`` or ``assumed: why``. Of anything else the kind is empty, which ``check`` tells."""
    if mark is None:
        return UNTOLD
    found = PROVENANCE.fullmatch(str(mark))
    return Provenance((found[1] or found[3]), (found[2] or found[4])) if found else Provenance("", str(mark))


class Resolver:
    """Knows the contract, the effects and what the data declares. Problems are collected, so that all are told at once."""

    def __init__(
        self, data: Data, contract: Contract, effects: Mapping[str, Effect], tests: Mapping[str, Tried] | None = None
    ) -> None:
        self.data = data
        self.contract = contract
        self.effects = effects
        self.tests = tests or {}
        self.problems: list[Problem] = []
        needs = [need for operation in data.get("operations", {}).values() for need in operation.get("needs", ())]
        self.names = frozenset(need["as"] for need in [*needs, *data.get("admission", ())])
        self.kinds: dict[str, Json] = dict(data.get("errors", {}).get("kinds", {}))
        self.collections: dict[str, Collection] = {}
        self.paging: dict[str, Paging] = {}

    def _stop_if_wrong(self) -> None:
        if self.problems:
            raise DataError(*self.problems)

    @contextmanager
    def _at(self, pointer: str) -> Any:
        """Problems raised inside are collected, seen from ``pointer``."""
        try:
            yield
        except DataError as error:
            self.problems.extend(problem.moved(pointer) for problem in error.problems)

    def _each(self, key: str, make: Callable[[str, Data], T]) -> Iterable[tuple[str, T]]:
        value = self.data.get(key) or {}
        items = value.items() if isinstance(value, Mapping) else ((str(n), each) for n, each in enumerate(value))
        for name, spec in items:
            with self._at(f"/{key}{token(name)}"):
                yield name, make(name, spec)

    def _template(self, pointer: str, value: Json, names: Iterable[str] = ()) -> Reader:
        try:
            return compile_template(value, self.names | frozenset(names))
        except DataError as error:
            raise DataError(*(problem.moved(pointer) for problem in error.problems)) from None

    def _condition(self, pointer: str, value: Json, names: Iterable[str] = ()) -> Condition:
        try:
            return compile_condition(value, self.names | frozenset(names))
        except DataError as error:
            raise DataError(*(problem.moved(pointer) for problem in error.problems)) from None

    def _known(self, what: str, word: str, known: Iterable[str], pointer: str) -> str:
        known = list(known)
        if word not in known:
            raise DataError(Problem(f"there is no {what} {word!r}", pointer, hint=did_you_mean(word, known)))
        return word

    def _kind(self, kind: str, pointer: str) -> str:
        return self._known("kind of error", kind, [*self.kinds, *ENGINE_KINDS], pointer)

    def _operation(self, name: str, pointer: str) -> Operation:
        return self.contract.operations[self._known("operation", name, self.contract.operations, pointer)]

    def _owner(self, name: str, pointer: str) -> Collection:
        return self.collections[self._known("collection", name, self.collections, pointer)]

    def _schema(self, name: str, pointer: str) -> Schema:
        try:
            return self.contract.schema(name)
        except KeyError:
            known = list(self.contract.document.get("components", {}).get("schemas", {}))
            hint = did_you_mean(name, known)
            raise DataError(Problem(f"the contract has no component schema {name!r}", pointer, hint=hint)) from None

    def _field(self, owner: str, field: str, fields: Iterable[str], pointer: str) -> None:
        if field not in fields:
            raise DataError(no_field(owner, field, fields, pointer))

    def _roles(self, roles: Iterable[str], collection: Collection, pointer: str) -> tuple[str, ...]:
        return tuple(self._known(f"role of {collection.name}", role, collection.roles, pointer) for role in roles)

    def _duration(self, text: str, pointer: str) -> int:
        try:
            return parse_duration(text)
        except ValueError as error:
            raise DataError(Problem(str(error), pointer)) from None
