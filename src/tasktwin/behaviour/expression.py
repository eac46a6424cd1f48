"""OpenAPI runtime expressions, compiled once: the only expression language in the data.

``$method``, ``$request.path.ID``, ``$request.query.NAME``, ``$request.header.NAME`` and ``$request.body#/pointer``
are those of OpenAPI 3.1 §4.8.20.4. Further roots name what the twin knows: ``$principal``, ``$row``, ``$page``, ``$error``,
``$now`` (ISO 8601, ``$now.unix`` in seconds), ``$n`` (a seed's row number) and each row that an operation needs, by
its name. Inside a longer string an expression stands in braces: ``"Task {$row#/id}"``. What is not there is ``None``.
``{$map: expression, to: {value: result}, else: result}`` chooses, ``{$given: {…}}`` leaves out members that are ``None``,
``{$first: […]}`` is the first that is not.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeAlias

from tasktwin.errors import DataError, Problem
from tasktwin.state import format_instant
from tasktwin.wire import Json, dumps

Scope: TypeAlias = dict[str, Json]
"""What an expression can see: a root's name (``request.body``, ``row`` …) to its value."""

Reader: TypeAlias = Callable[[Scope], Json]
"""A compiled expression or template: a scope in, a JSON value out."""

PARTED = frozenset({"request.path", "request.query", "request.header"})
ROOTS = PARTED | {
    "request.body",
    "response.body",
    "principal",
    "row",
    "page",
    "error",
    "params",
    "credential",
    "now",
    "n",
    "setting",
    "limit",
    "method",
    "address",
    "event",
    "rpc",
}

_EXPRESSION = re.compile(r"\$(?P<root>[A-Za-z_][\w.-]*)(?P<pointer>#(?:/[^}\s]*)?)?")
_EMBEDDED = re.compile(r"\{(\$[^}]+)\}")


def is_expression(value: Json) -> bool:
    """Whether this is a string that stands for something else."""
    return isinstance(value, str) and value.startswith("$")


def is_constant(value: Json) -> bool:
    """Whether this is a scalar that stands for itself."""
    return "$" not in value if isinstance(value, str) else not isinstance(value, (dict, list))


def compile_expression(text: str, names: frozenset[str] = frozenset()) -> Reader:
    """Compile one expression. ``names`` are further roots. Raises ``DataError`` on an unknown root or bad syntax."""
    found = _EXPRESSION.fullmatch(text)
    if not found:
        raise DataError(
            Problem(f"{text!r} is no runtime expression", hint="Write $root, $root.name or $root#/pointer.")
        )
    root, steps = found["root"], steps_of(found["pointer"] or "")
    if root.startswith("now"):
        return _clock(root, text)
    for parted in PARTED:
        if root.startswith(parted + "."):
            return _parted(parted, root.removeprefix(parted + "."), steps)
    if root not in ROOTS | names or root in PARTED:
        close = get_close_matches(root, sorted(ROOTS | names), 1)
        raise DataError(Problem(f"{text!r} names nothing known", hint=f"Did you mean ${close[0]}?" if close else ""))
    return _rooted(root, steps)


def compile_template(value: Json, names: frozenset[str] = frozenset()) -> Reader:
    """Compile any JSON value whose strings may be, or hold, expressions. Raises ``DataError`` with a pointer."""
    if isinstance(value, str):
        return _compile_text(value, names)
    if isinstance(value, Mapping):
        if "$map" in value:
            return _mapped(value, names)
        if "$given" in value:
            return _given(value, names)
        if "$first" in value:
            return _first(value, names)
        return _members(value, names)
    if isinstance(value, list):
        items = [_inner(str(index), inner, names) for index, inner in enumerate(value)]
        return lambda scope: [read(scope) for read in items]
    return lambda _scope: value


def _members(value: Mapping[str, Json], names: frozenset[str]) -> Reader:
    """An object: what is constant is written once, what is not is read each time."""
    blank = {key: inner if is_constant(inner) else None for key, inner in value.items()}
    moving = [(key, _inner(key, inner, names)) for key, inner in value.items() if not is_constant(inner)]

    def read(scope: Scope) -> Json:
        made = blank.copy()
        for key, part in moving:
            made[key] = part(scope)
        return made

    return read


def _mapped(value: Mapping[str, Json], names: frozenset[str]) -> Reader:
    table = value.get("to")
    if not {"$map", "to"} <= set(value) <= {"$map", "to", "else"} or not isinstance(table, Mapping):
        raise DataError(Problem("a mapping of values is {$map: expression, to: {value: result, …}, else: result}"))
    read = compile_template(value["$map"], names)
    results = {str(key): _inner(f"to/{key}", each, names) for key, each in table.items()}
    otherwise = _inner("else", value.get("else"), names)
    return lambda scope: results.get(_key(read(scope)), otherwise)(scope)


def _given(value: Mapping[str, Json], names: frozenset[str]) -> Reader:
    if len(value) != 1 or not isinstance(value["$given"], Mapping):
        raise DataError(Problem("an object without its nulls is {$given: {name: value, …}}"))
    members = [(key, _inner(f"$given/{key}", inner, names)) for key, inner in value["$given"].items()]
    return lambda scope: {key: each for key, read in members if (each := read(scope)) is not None}


def _first(value: Mapping[str, Json], names: frozenset[str]) -> Reader:
    if len(value) != 1 or not isinstance(value["$first"], list):
        raise DataError(Problem("the first value that is there is {$first: [value, …]}"))
    reads = [_inner(f"$first/{index}", each, names) for index, each in enumerate(value["$first"])]

    def read_first(scope: Scope) -> Json:
        for read in reads:
            value = read(scope)
            if value is not None:
                return value
        return None

    return read_first


def _key(value: Json) -> str:
    """What a value is called as a key in YAML and JSON, where keys are texts: ``true``, ``null``, ``4``."""
    return value if isinstance(value, str) else dumps(value).decode()


def look_up(value: Json, steps: tuple[str, ...]) -> Json:
    """Follow a JSON pointer's steps; ``None`` where it leads nowhere."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _inner(key: str, value: Json, names: frozenset[str]) -> Reader:
    try:
        return compile_template(value, names)
    except DataError as error:
        raise DataError(*(problem.moved(f"/{key}") for problem in error.problems)) from None


def _compile_text(text: str, names: frozenset[str]) -> Reader:
    if text.startswith("$"):
        return compile_expression(text, names)
    parts = _EMBEDDED.split(text)
    if len(parts) == 1:
        return lambda _scope: text
    readers = [compile_expression(part, names) if index % 2 else None for index, part in enumerate(parts)]
    pairs = list(zip(parts, readers, strict=True))
    return lambda scope: "".join([part if read is None else _spoken(read(scope)) for part, read in pairs])


def _spoken(value: Json) -> str:
    return "" if value is None else str(value)


def steps_of(pointer: str) -> tuple[str, ...]:
    """The steps of a JSON pointer, which may be a fragment (``#/…``)."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("#").split("/")[1:])


def _rooted(root: str, steps: tuple[str, ...]) -> Reader:
    if not steps:
        return lambda scope: scope.get(root)
    if len(steps) == 1:
        only = steps[0]

        def read(scope: Scope) -> Json:
            value = scope.get(root)
            return value.get(only) if value.__class__ is dict else look_up(value, steps)

        return read
    return lambda scope: look_up(scope.get(root), steps)


def _parted(root: str, name: str, steps: tuple[str, ...]) -> Reader:
    key = name.lower() if root == "request.header" else name
    if not steps:
        return lambda scope: (scope.get(root) or {}).get(key)
    return lambda scope: look_up((scope.get(root) or {}).get(key), steps)


def _clock(root: str, text: str) -> Reader:
    if root == "now.unix":
        return lambda scope: scope["now"] // 1_000_000
    if root != "now":
        raise DataError(Problem(f"{text!r} names nothing known", hint="Did you mean $now or $now.unix?"))
    return lambda scope: format_instant(scope["now"], scope.get("precision", "seconds"))
