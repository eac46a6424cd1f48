"""The document as data: local references, and the problems met on the way."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from tasktwin.contract.violation import clipped, token
from tasktwin.errors import DataError, Problem
from tasktwin.wire import Json

_LONGEST_CHAIN: Final = 20
_DEEPEST: Final = 200
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
NOT_SCANNED: Final = frozenset({"example", "value", "default", "enum", "const"})
NAMES: Final = frozenset(
    {
        "properties", "patternProperties", "$defs", "dependentSchemas", "schemas", "responses", "parameters", "headers",
        "examples", "requestBodies", "securitySchemes", "links", "callbacks", "pathItems", "paths", "content", "encoding",
        "variables", "mapping", "scopes", "webhooks",
    }
)  # fmt: skip


class Source:
    """An OpenAPI document, read with care: whatever has the wrong shape becomes a problem and an empty value.

    All keys must be texts, and nothing nested too deeply: see ``as_json``.
    """

    def __init__(self, document: Json) -> None:
        self.document = document if isinstance(document, dict) else {}
        self.problems: dict[tuple[str, str], Problem] = {}
        self.is_30 = str(self.document.get("openapi", "")).startswith("3.0")

    def refuse(self, message: str, pointer: str, hint: str = "") -> None:
        """Note a problem; the same one twice counts once."""
        self.problems.setdefault((message, pointer), Problem(message, pointer, hint=hint))

    def mapping(self, value: Json, pointer: str) -> dict[str, Json]:
        """``value`` if it is an object (absent counts as empty), else a problem and ``{}``."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.refuse(f"an object is expected here, not {_kind(value)}", pointer)
        return {}

    def listing(self, value: Json, pointer: str) -> list[Json]:
        """``value`` if it is a list (absent counts as empty), else a problem and ``[]``."""
        if isinstance(value, list):
            return value
        if value is not None:
            self.refuse(f"a list is expected here, not {_kind(value)}", pointer)
        return []

    def follow(self, value: Json, pointer: str) -> tuple[dict[str, Json], str]:
        """The object that ``value`` is or refers to, and where it stands. Cyclic references are a problem."""
        start = pointer
        for _ in range(_LONGEST_CHAIN):
            node = self.mapping(value, pointer)
            ref = node.get("$ref")
            if not isinstance(ref, str):
                return node, pointer
            target = self.target(ref)
            if target is None:
                return {}, pointer  # scan() names the reference
            rest = {key: item for key, item in node.items() if key != "$ref"}
            value, pointer = target
            if rest and isinstance(value, dict) and "$ref" not in value and not self.is_30:
                value = {**value, **rest}  # 3.1: summary and description, and in a path item anything
        self.refuse("this reference leads back to itself", start)
        return {}, start

    def resolved(self, schema: Json) -> dict[str, Json]:
        """A schema with its top-level references followed, siblings of ``$ref`` on top. Problems are left to scan()."""
        beside: dict[str, Json] = {}
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(schema, dict):
                break
            ref = schema.get("$ref")
            if not isinstance(ref, str):
                return {**schema, **beside} if beside else schema
            if not self.is_30:
                beside = {**{key: item for key, item in schema.items() if key != "$ref"}, **beside}
            found = self.target(ref)
            schema = found[0] if found else None
        return beside

    def target(self, ref: str) -> tuple[Json, str] | None:
        """What a local reference points at, and its plain pointer; ``None`` if there is nothing."""
        if not ref.startswith("#"):
            return None
        path = unquote(ref[1:])
        return (found[0], path) if (found := self._at(path)) else None

    def at(self, pointer: str) -> Json:
        """The value at a plain pointer. Raises ``KeyError`` if there is none."""
        found = self._at(pointer)
        if found is None:
            raise KeyError(pointer)
        return found[0]

    def has(self, pointer: str) -> bool:
        """Whether there is anything at a plain pointer."""
        return self._at(pointer) is not None

    def _at(self, path: str) -> tuple[Json] | None:
        node: Json = self.document
        if path and not path.startswith("/"):
            return None
        for raw in path.split("/")[1:]:
            key = raw.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isascii() and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                return None
        return (node,)

    def scan(self) -> None:
        """Note every reference of the document, wherever it stands, that leads nowhere or out of it."""
        for ref, pointer in self._references():
            if not isinstance(ref, str):
                self.refuse("$ref must be a text", pointer)
            elif not ref.startswith("#"):
                self.refuse(
                    f"the reference {clipped(ref, 80)!r} leads out of the document", pointer, "Only #/… is followed."
                )
            elif self.target(ref) is None:
                self.refuse(f"the reference {clipped(ref, 80)!r} leads nowhere", pointer, self._nearest(ref))

    def _references(self) -> Iterator[tuple[Json, str]]:
        stack: list[tuple[Json, str, bool]] = [(self.document, "", False)]
        while stack:
            node, pointer, are_names = stack.pop()
            if isinstance(node, list):
                stack += [(item, f"{pointer}/{n}", False) for n, item in enumerate(node) if _is_nested(item)]
                continue
            if "$ref" in node and not are_names:
                yield node["$ref"], pointer
            for key, item in node.items():
                if _is_nested(item) and (are_names or not (key in NOT_SCANNED or key.startswith("x-"))):
                    stack.append((item, pointer + token(key), key in NAMES and not are_names))

    def _nearest(self, ref: str) -> str:
        """Did you mean: a neighbour of the same kind with a similar name, or one of that name elsewhere."""
        path = unquote(ref[1:])
        parent, _, name = path.rpartition("/")
        siblings = self._at(parent)
        if siblings and isinstance(siblings[0], dict):
            return nearest(name, siblings[0], f"#{parent}/")
        components = self.document.get("components")
        groups = components.items() if isinstance(components, dict) else ()
        for group, members in groups:
            if isinstance(members, dict) and name in members:
                return f"Did you mean '#/components/{group}/{name}'?"
        return ""


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """``Did you mean …?`` with the most similar known name, or ``""``."""
    close = difflib.get_close_matches(name, [str(key) for key in known], n=1)
    return f"Did you mean '{prefix}{close[0]}'?" if close else ""


def as_json(document: Json) -> Json:
    """The same document with texts for keys: YAML reads the statuses of ``responses`` as numbers.

    The document itself if there is nothing to do. Raises ``DataError`` for nesting deeper than 200 levels (which is
    also what a value that contains itself looks like), for values such as dates that are no JSON, and for keys that
    are neither texts nor whole numbers.
    """
    stack: list[tuple[Json, int]] = [(document, 0)]
    is_fine = True
    while stack:
        node, level = stack.pop()
        if level > _DEEPEST:
            raise DataError(Problem(f"the document is nested deeper than {_DEEPEST} levels"))
        if node.__class__ is dict:
            is_fine = is_fine and all(key.__class__ is str for key in node)
            node = node.values()
        for item in node:
            if item.__class__ is dict or item.__class__ is list:
                stack.append((item, level + 1))
            elif item.__class__ not in _SCALARS:
                is_fine = False
    return document if is_fine else _rewritten(document, "")


def _rewritten(node: Json, pointer: str) -> Json:
    if isinstance(node, list):
        return [_rewritten(item, f"{pointer}/{n}") for n, item in enumerate(node)]
    if not isinstance(node, dict):
        if node.__class__ not in _SCALARS:
            raise DataError(Problem(f"{clipped(repr(node), 80)} is no JSON value", pointer, hint="Put it in quotes."))
        return node
    for key in node:
        if key.__class__ not in {str, int}:
            raise DataError(Problem(f"the key {clipped(repr(key), 80)} is no text", pointer, hint="Put it in quotes."))
    return {str(key): _rewritten(item, pointer + token(key)) for key, item in node.items()}


def _is_nested(value: Json) -> bool:
    return value.__class__ is dict or value.__class__ is list


def _kind(value: Json) -> str:
    names = {
        list: "a list",
        dict: "an object",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null" if value is None else type(value).__name__)
