"""Schemas made narrower, so that what is generated from them reads like an answer: words, small numbers, recent dates.

A value that satisfies the narrow schema should satisfy the wide one too; whoever generates checks that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tasktwin.contract.dialect import BANK
from tasktwin.wire import Json

ROOT: Final = "root"
HOME: Final = "#/components/schemas/"
"""Where the schemas stand in the document that ``narrow`` gives."""

_REF: Final = f"{BANK}#/$defs/"
_SMALL: Final = 1000
_WIDE: Final = 2**53
"""Integers beyond it are not read exactly by JavaScript."""

_FAR: Final = 1_000_000
"""A bound beyond it, such as that of int32, tells nothing of the values one meets."""

_DAY: Final = "20(2[4-6])-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME: Final = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_HEX: Final = "[0-9a-f]"
_PATTERNS: Final = {
    "date-time": f"^{_DAY}T{_TIME}Z$",
    "date": f"^{_DAY}$",
    "time": f"^{_TIME}Z$",
    "uuid": f"^{_HEX}{{8}}-{_HEX}{{4}}-4{_HEX}{{3}}-[89ab]{_HEX}{{3}}-{_HEX}{{12}}$",
    "email": r"^[a-z]{4,8}@example\.(com|org)$",
    "hostname": r"^[a-z]{4,8}\.example\.(com|org)$",
    "uri": r"^https://example\.(com|org)/[a-z]{4,8}$",
    "ipv4": r"^192\.0\.2\.[1-9][0-9]?$",
    "byte": "^([A-Za-z0-9]{4}){2,4}$",
    "password": "^[a-z]{8,12}$",
}
"""Texts of a format that a person likes to read; each of them is of the format."""

_SAID: Final = frozenset({"enum", "const", "pattern", "not"})
_IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas"})
_KEPT: Final = frozenset({"not", "if", "propertyNames"})
"""Keywords below which narrower would mean wider, or another branch."""

_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLES: Final = _KEPT | {
    "items", "contains", "then", "else", "additionalProperties", "unevaluatedProperties", "unevaluatedItems",
}  # fmt: skip
_COMPOSERS: Final = frozenset({"$ref", "if"} | _IN_PLACE)
_WORD: Final = {"type": "string", "pattern": "^[a-z]{3,12}$"}


class Part(Enum):
    """What of a value a schema decides: all of it, some of it beside other schemas, or only whether something holds."""

    WHOLE = "whole"
    SOME = "some"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Taste:
    """How narrow: documented examples only, all properties there, words and small numbers."""

    examples: bool
    complete: bool
    words: bool


def narrow(converted: Json, bank: Mapping[str, Json], taste: Taste) -> dict[str, Json]:
    """The schemas to generate from by name, that of ``ROOT`` first, for a converted one whose references lead to ``bank``."""
    return _Narrowing(bank, taste).all(converted)


class _Narrowing:
    """What is referred to is narrowed once for each ``Part``, under a name that tells it."""

    def __init__(self, bank: Mapping[str, Json], taste: Taste) -> None:
        self.bank = bank
        self.taste = taste
        self.reach: dict[str, frozenset[str]] = {}
        self.wanted: dict[tuple[str, Part], None] = {}
        self.inside = ROOT

    def all(self, converted: Json) -> dict[str, Json]:
        found = {ROOT: self._schema(converted, Part.WHOLE)}
        done: set[tuple[str, Part]] = set()
        while left := [each for each in self.wanted if each not in done]:
            for key, part in left:
                self.inside = key
                done.add((key, part))
                found[_name(key, part)] = self._schema(self.bank[key], part)
        return found

    def _schema(self, node: Json, part: Part) -> Json:
        if not isinstance(node, dict) or not node:
            return _WORD if node is not False and self.taste.words and part is Part.WHOLE else node
        if "writeOnly" in node or "readOnly" in node:
            return False  # a property that must not travel this way
        if self.taste.examples and part is Part.WHOLE and "examples" in node:
            return {"enum": node["examples"]}
        beside = part if node.keys() == {"$ref"} or part is Part.TEST else Part.SOME
        result = {
            key: self._keyword(key, value, beside if key == "$ref" else part)
            for key, value in node.items()
            if key != "examples"
        }
        if part is not Part.TEST and result.keys() != {"$ref"}:
            self._words(result, part)
            self._shape(result, part)
        return result

    def _keyword(self, key: str, value: Json, part: Part) -> Json:
        if key == "$ref":
            name = str(value).removeprefix(_REF)
            self.wanted[name, part] = None
            return HOME + _name(name, part)
        inner = Part.TEST if key in _KEPT or part is Part.TEST else Part.SOME if key in _IN_PLACE else Part.WHOLE
        if key in _MAPS:
            free = part is Part.SOME  # what is left open here may be said in a schema beside it
            return {name: each if free and each == {} else self._schema(each, inner) for name, each in value.items()}
        if key in _LISTS:
            return [self._schema(each, inner) for each in value]
        if key in _SINGLES:
            return self._schema(value, inner)
        return value

    def _words(self, node: dict[str, Any], part: Part) -> None:
        """Texts are words, or in the usual form of their format; numbers are small and have few decimals."""
        if _SAID & node.keys():
            return
        kinds = _kinds(node, "")
        if "string" in kinds and self.taste.words:
            _spell(node)
        if ("integer" in kinds or "number" in kinds) and self.taste.words and part is Part.WHOLE:
            _shrink(node, whole="number" not in kinds)
        elif "integer" in kinds:
            node.setdefault("minimum", min(-_WIDE, node.get("maximum", 0)))
            node.setdefault("maximum", max(_WIDE, node["minimum"]))

    def _shape(self, node: dict[str, Any], part: Part) -> None:
        """Objects have what is declared and nothing else; lists are short, and shorter where they nest."""
        again = self._recurs(node.get("items"))
        if "items" in node or node.get("type") == "array":
            most = max(node.get("minItems", 0), 1 if again else 3)
            node["maxItems"] = min(node.get("maxItems", most), most)
            if self.taste.complete and not again and node["maxItems"]:
                node["minItems"] = max(node.get("minItems", 0), 1)
        properties = node.get("properties")
        if isinstance(properties, dict) and self.taste.complete:
            there = [name for name, each in properties.items() if each is not False and not self._recurs(each)]
            node["required"] = list(dict.fromkeys([*node.get("required", []), *there]))
        if part is Part.WHOLE and self.taste.words and "object" in _kinds(node, "object"):
            self._close(node)

    def _close(self, node: dict[str, Any]) -> None:
        """An object has what is declared, under declared names; one of which nothing is declared has short names."""
        composed = bool(_COMPOSERS & node.keys())
        if "properties" in node or composed:
            enough = composed or len(node["properties"]) >= node.get("minProperties", 0)
            if enough and node.get("additionalProperties", _WORD) == _WORD and "patternProperties" not in node:
                node.pop("additionalProperties", None)
                node["unevaluatedProperties" if composed else "additionalProperties"] = False
        elif node.get("type") == "object" and not {"propertyNames", "patternProperties", "required"} & node.keys():
            node["propertyNames"] = {"pattern": "^[a-z]{3,8}$"}
            node["maxProperties"] = max(node.get("minProperties", 0), min(2, node.get("maxProperties", 2)))
            node.setdefault("additionalProperties", _WORD)

    def _recurs(self, node: Json) -> bool:
        """Whether a schema, narrowed already, leads back to the one that it stands in."""
        return any(self.inside in self._reach(name) for name in _refs(node))

    def _reach(self, name: str) -> frozenset[str]:
        """The names in the bank that one leads to, its own included."""
        if name not in self.reach:
            found, left = {name}, [name]
            while left:
                further = _refs(self.bank[left.pop()]) - found
                found |= further
                left += further
            self.reach[name] = frozenset(found)
        return self.reach[name]


def _kinds(node: dict[str, Any], otherwise: str) -> list[str]:
    found = node.get("type", otherwise)
    return found if isinstance(found, list) else [found]


def _name(key: str, part: Part) -> str:
    return f"{key}-{part.value}"


def _refs(node: Json) -> set[str]:
    """The names in the bank that a schema refers to, whether narrowed or not."""
    found: set[str] = set()
    left = [node]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            ref = each.get("$ref")
            if isinstance(ref, str):
                found.add(ref.removeprefix(_REF).removeprefix(HOME).partition("-")[0])
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def _spell(node: dict[str, Any]) -> None:
    low, high = node.get("minLength", 0), node.get("maxLength", _FAR)
    form = node.get("format")
    if form in (None, "binary"):
        low = max(low, min(3, high))
        high = min(high, max(low, 12))
        node["pattern"] = f"^[a-z]{{{low},{high}}}$"
    elif form in _PATTERNS and low == 0 and high == _FAR:
        del node["format"]
        node["pattern"] = _PATTERNS[form]


def _shrink(node: dict[str, Any], *, whole: bool) -> None:
    low = _near(node, "minimum", "exclusiveMinimum")
    high = _near(node, "maximum", "exclusiveMaximum")
    step = node.get("multipleOf")
    if low is None:
        low = 0 if high is None or high > 0 else high - _SMALL
        node["minimum"] = low
    if high is None:
        high = low + _SMALL * max(1, step or 1)
        node["maximum"] = high
    if not whole and step is None and high - low >= 1:
        node["multipleOf"] = 0.25


def _near(node: dict[str, Any], *names: str) -> Any:
    """The bound that counts, ``None`` if there is none nearby."""
    found = [node[name] for name in names if abs(node.get(name, _FAR + 1)) <= _FAR]
    return found[0] if found else None
