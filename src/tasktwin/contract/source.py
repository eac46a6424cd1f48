"""The document as data: local references, and the problems met on the way."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from tasktwin.contract.violation import clipped, token
from tasktwin.errors import Problem
from tasktwin.wire import Json

_LONGEST_CHAIN: Final = 20
_DEEPEST: Final = 200
_NOT_SCANNED: Final = frozenset({"example", "value", "default", "enum", "const"})
_NAMES: Final = frozenset(
    {
        "properties", "patternProperties", "$defs", "dependentSchemas", "schemas", "responses", "parameters", "headers",
        "examples", "requestBodies", "securitySchemes", "links", "callbacks", "pathItems", "paths", "content", "encoding",
        "variables", "mapping", "scopes", "webhooks",
    }
)  # fmt: skip


class Source:
    """An OpenAPI document, read with care: whatever has the wrong shape becomes a problem and an empty value."""

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
            if all(isinstance(key, str) for key in value):
                return value
            self.refuse("the keys here must be texts; quote numbers", pointer)
            return {str(key): item for key, item in value.items()}
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
        stack: list[tuple[Json, str, bool, int]] = [(self.document, "", False, 0)]
        while stack:
            node, pointer, keys_are_names, level = stack.pop()
            if level > _DEEPEST:
                self.refuse(f"nested deeper than {_DEEPEST} levels", pointer[:200])
                continue
            if isinstance(node, list):
                stack += [
                    (item, f"{pointer}/{n}", False, level + 1)
                    for n, item in enumerate(node)
                    if item.__class__ in {dict, list}
                ]
                continue
            if not keys_are_names and "$ref" in node:
                yield node["$ref"], pointer
            for key, item in node.items():
                if item.__class__ not in {dict, list} or (not keys_are_names and _is_opaque(key)):
                    continue
                stack.append((item, pointer + token(key), not keys_are_names and key in _NAMES, level + 1))

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


def _is_opaque(key: Json) -> bool:
    return key in _NOT_SCANNED or (isinstance(key, str) and key.startswith("x-"))


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
