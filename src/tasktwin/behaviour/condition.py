"""Conditions on a row, compiled once: who sees it, who plays which role, what a list keeps.

A condition is a mapping, all of whose lines must hold, or a list of such mappings, one of which must. A line is
``field: wanted`` or ``$expression: wanted``; ``wanted`` is a value, an expression, a list (any of them),
``{not: wanted}``, ``{set: true|false}`` (is it there and not null), ``{contains: text}`` (in any case),
``{above: value}`` (a larger number, or a later text, such as a time) or ``{fits: JSON Schema}``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import jsonschema_rs

from tasktwin.behaviour.expression import (
    Reader,
    Scope,
    compile_expression,
    compile_template,
    is_constant,
    is_expression,
)
from tasktwin.errors import DataError, Problem
from tasktwin.state import Row, contains
from tasktwin.wire import Json

Test: TypeAlias = Callable[[Scope, Row], bool]
Wanted: TypeAlias = Callable[[Scope, Json], bool]

_COMPOUND = frozenset({list, dict})


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition, taken apart by what can answer each line.

    ``guards`` do not look at the row, ``equal`` an index can answer, ``rest`` must be tried on each row.
    ``alternatives`` stand for a list of mappings; the other parts are empty then.
    """

    guards: tuple[Test, ...] = ()
    equal: tuple[tuple[str, Reader], ...] = ()
    rest: Test | None = None
    alternatives: tuple["Condition", ...] = ()

    def holds(self, scope: Scope, row: Row) -> bool:
        """Whether the row satisfies every line, or one of the alternatives."""
        for each in self.alternatives:
            if each.holds(scope, row):
                return True
        if self.alternatives:
            return False
        for field, read in self.equal:
            if row.get(field) != read(scope):
                return False
        return (not self.guards or self.applies(scope)) and (self.rest is None or self.rest(scope, row))

    def selection(self, scope: Scope) -> tuple[tuple[tuple[str, Json], ...], Callable[[Row], bool] | None]:
        """What an index can answer, and the test for the rest. For a condition without alternatives."""
        equal: list[tuple[str, Json]] = []
        rest = self.rest
        for field, read in self.equal:
            value = read(scope)
            if value.__class__ not in _COMPOUND:  # no index holds these
                equal.append((field, value))
        if len(equal) < len(self.equal):
            return tuple(equal), lambda row: self.holds(scope, row)
        return tuple(equal), None if rest is None else lambda row: rest(scope, row)

    def applies(self, scope: Scope) -> bool:
        """Whether the lines hold that do not look at the row."""
        return not self.guards or all(guard(scope, {}) for guard in self.guards)


ALWAYS = Condition()


def compile_condition(spec: Json, names: frozenset[str] = frozenset()) -> Condition:
    """Compile a mapping or a list of mappings. Raises ``DataError`` with a pointer."""
    if isinstance(spec, list):
        return Condition(alternatives=tuple(_alternative(n, each, names) for n, each in enumerate(spec)))
    guards: list[Test] = []
    equal: list[tuple[str, Reader]] = []
    tests: list[Test] = []
    for left, wanted in spec.items():
        try:
            if is_expression(left):
                guards.append(_line(left, _wanted(wanted, names), names))
            elif isinstance(wanted, (dict, list)):
                tests.append(_line(left, _wanted(wanted, names), names))
            else:
                equal.append((left, compile_template(wanted, names)))
        except DataError as error:
            raise DataError(*(problem.moved(f"/{left}") for problem in error.problems)) from None
    return Condition(tuple(guards), tuple(sorted(equal, key=lambda line: line[0])), _all(tests))


def _alternative(n: int, spec: Json, names: frozenset[str]) -> Condition:
    try:
        return compile_condition(spec, names)
    except DataError as error:
        raise DataError(*(problem.moved(f"/{n}") for problem in error.problems)) from None


def _all(tests: list[Test]) -> Test | None:
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda scope, row: all(test(scope, row) for test in tests)


def _line(left: str, wanted: Wanted, names: frozenset[str]) -> Test:
    if is_expression(left):
        read = compile_expression(left, names)
        return lambda scope, _row: wanted(scope, read(scope))
    return lambda scope, row: wanted(scope, row.get(left))


def _wanted(spec: Json, names: frozenset[str]) -> Wanted:
    if isinstance(spec, list):
        if all(map(is_constant, spec)):
            return lambda _scope, value: value in spec
        choices = [_wanted(each, names) for each in spec]
        return lambda scope, value: any(choice(scope, value) for choice in choices)
    if isinstance(spec, dict):
        return _operator(spec, names)
    if is_constant(spec):
        return lambda _scope, value: bool(value == spec)
    read = compile_template(spec, names)
    return lambda scope, value: bool(value == read(scope))


def _operator(spec: dict[str, Json], names: frozenset[str]) -> Wanted:
    match spec:
        case {"not": inner, **rest} if not rest:
            wanted = _wanted(inner, names)
            return lambda scope, value: not wanted(scope, value)
        case {"set": bool(expected), **rest} if not rest:
            return lambda _scope, value: (value is not None) is expected
        case {"contains": inner, **rest} if not rest:
            read = compile_template(inner, names)
            return lambda scope, value: contains(value, read(scope))
        case {"above": inner, **rest} if not rest:
            read = compile_template(inner, names)
            return lambda scope, value: above(value, read(scope))
        case {"fits": inner, **rest} if not rest:
            return _fitting(inner)
    hint = "Use a value, a list, {not: …}, {set: true}, {contains: …}, {above: …} or {fits: …}."
    raise DataError(Problem(f"{spec!r} is no condition", hint=hint))


def _fitting(schema: Json) -> Wanted:
    try:
        validator = jsonschema_rs.Draft202012Validator(schema, retriever=_never_fetch)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise DataError(Problem(f"{schema!r} is no JSON Schema: {error}".partition("\n")[0])) from None
    return lambda _scope, value: validator.is_valid(value)


def _never_fetch(address: str) -> Json:
    raise ValueError(f"{address} is elsewhere, and nothing is fetched")


def above(value: Json, other: Json) -> bool:
    """Whether a number is larger, or a text later, than another. Nothing else is above anything."""
    if isinstance(value, str) and isinstance(other, str):
        return value > other
    numbers = isinstance(value, (int, float)) and isinstance(other, (int, float))
    return numbers and value > other
