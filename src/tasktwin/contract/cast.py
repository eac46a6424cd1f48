"""Texts to values, as a schema would have them: parameters, headers and form fields are all text on the wire."""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from tasktwin.contract.source import Source
from tasktwin.wire import Json

Cast: TypeAlias = Callable[[str], Json]
Check: TypeAlias = Callable[[Json], bool]

_INTEGER: Final = re.compile(r"-?[0-9]{1,400}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}
_DEEPEST: Final = 5


def integer(text: str) -> Json:
    """``-?[0-9]+`` to an int; anything else stays a text."""
    return int(text) if _INTEGER.fullmatch(text) else text


def number(text: str) -> Json:
    """A JSON number (leading zeros allowed) to an int or a finite float; anything else stays a text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    return text if value in {float("inf"), float("-inf")} else value


def boolean(text: str) -> Json:
    """``true`` or ``false``; anything else stays a text."""
    return _BOOLEANS.get(text, text)


def same(text: str) -> Json:
    """The text."""
    return text


def anything(_value: Json) -> bool:
    """No check."""
    return True


_SCALARS: Final[dict[str, Cast]] = {"integer": integer, "number": number, "boolean": boolean, "string": same}
_SHAPES: Final = frozenset({"array", "object"})


def kinds(source: Source, schema: Json, depth: int = 0) -> tuple[str, ...]:
    """The JSON types that a schema speaks of, in its order; ``()`` if it does not say. ``null`` is left out.

    Null has no form on the wire as a parameter, so no text is ever read as null.
    """
    node = source.resolved(schema) if isinstance(schema, dict) else {}
    declared = node.get("type")
    types = [declared] if isinstance(declared, str) else declared if isinstance(declared, list) else []
    if not types and depth < _DEEPEST:
        types = list(_implied(source, node, depth))
    return tuple(dict.fromkeys(kind for kind in types if isinstance(kind, str) and kind != "null"))


def _implied(source: Source, node: dict[str, Json], depth: int) -> Iterator[str]:
    values = node.get("enum", [node["const"]] if "const" in node else [])
    for value in values if isinstance(values, list) else ():
        yield _TYPES.get(type(value), "null")
    for word in ("allOf", "oneOf", "anyOf"):
        branches = node.get(word)
        for branch in branches if isinstance(branches, list) else ():
            yield from kinds(source, branch, depth + 1)
    if "properties" in node:
        yield "object"
    if "items" in node or "prefixItems" in node:
        yield "array"


_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def scalar(types: tuple[str, ...], check: Check) -> Cast:
    """How to read a text that may be any of ``types``. Of several readings the first that passes ``check`` counts.

    If none passes it is the first that is no longer a text, so that the complaint is about the value, not its type.
    """
    casts = [_SCALARS[kind] for kind in types if kind in _SCALARS] or [same]
    if len(casts) == 1:
        return casts[0]

    def first_valid(text: str) -> Json:
        readings = [cast(text) for cast in casts]
        valid = [value for value in readings if check(value)]
        return (valid or [value for value in readings if value.__class__ is not str] or [text])[0]

    return first_valid


def shape(types: tuple[str, ...]) -> str:
    """``array``, ``object``, ``scalar``, or ``mixed`` if a schema allows several of these."""
    found = {kind if kind in _SHAPES else "scalar" for kind in types} or {"scalar"}
    return found.pop() if len(found) == 1 else "mixed"


def members(source: Source, schema: Json, depth: int = 0) -> tuple[dict[str, Json], Json]:
    """The property schemas of an object schema, through ``allOf``, ``oneOf`` and ``anyOf``, and that of the others."""
    node = source.resolved(schema)
    properties: dict[str, Json] = {}
    other = node.get("additionalProperties", True)
    for word in ("anyOf", "oneOf", "allOf"):
        branches = node.get(word)
        for branch in branches if isinstance(branches, list) and depth < _DEEPEST else ():
            inner, inner_other = members(source, branch, depth + 1)
            properties = {**properties, **inner}
            other = inner_other if other is True else other
    own = node.get("properties")
    return {**properties, **(own if isinstance(own, dict) else {})}, other


def items(source: Source, schema: Json, depth: int = 0) -> Json:
    """The schema of an array schema's items, also through ``allOf``, ``oneOf`` and ``anyOf``; ``{}`` if there is none."""
    node = source.resolved(schema)
    if "items" in node:
        return node["items"]
    for word in ("allOf", "oneOf", "anyOf"):
        branches = node.get(word)
        for branch in branches if isinstance(branches, list) and depth < _DEEPEST else ():
            found = items(source, branch, depth + 1)
            if found:
                return found
    return {}
