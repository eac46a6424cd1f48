"""OpenAPI's schema dialects, 3.0 and 3.1, turned into plain JSON Schema 2020-12."""

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from tasktwin.contract.source import Source
from tasktwin.contract.violation import INTEGER_FORMATS, PATTERN_FORMATS, clipped, token
from tasktwin.wire import Json

Side: TypeAlias = Literal["request", "response", "plain"]
"""Which way a value travels. Plain is neither: a row at rest, where readOnly and writeOnly mean nothing."""

BANK: Final = "urn:tasktwin"
"""Where converted schemas find each other."""

_HIDDEN: Final[dict[Side, str]] = {"request": "readOnly", "response": "writeOnly", "plain": ""}
_DEEPEST: Final = 100
_PATTERNS: Final = {name: pattern for pattern, name in PATTERN_FORMATS.items()}

_COPIED: Final = frozenset(
    {
        "type", "enum", "const", "multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "maxLength",
        "minLength", "pattern", "format", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
        "maxProperties", "minProperties", "dependentRequired",
    }
)  # fmt: skip
_IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLES: Final = frozenset(
    {
        "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
        "unevaluatedProperties",
    }
)  # fmt: skip
_UNSUPPORTED: Final = ("$id", "$dynamicRef", "$anchor", "$dynamicAnchor")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a schema we are.

    ``here``: it applies to the same value as the bank's entry. ``hidden``: names that an enclosing allOf hides.
    """

    pointer: str
    level: int = 0
    here: bool = True
    hidden: frozenset[str] = frozenset()

    def below(self, step: str | int, *, here: bool = False, hidden: frozenset[str] = frozenset()) -> "_Place":
        return _Place(self.pointer + token(step), self.level + 1, self.here and here, hidden)


class Dialect:
    """Converts the schemas of one document for one side. What is referred to is converted once, into ``bank``."""

    def __init__(self, source: Source, side: Side) -> None:
        self.source = source
        self.side = side
        self.bank: dict[str, Json] = {}
        self._keys: dict[str, str] = {}
        self._edges: dict[str, set[str]] = {}
        self._root = ""

    def reference(self, pointer: str) -> dict[str, Json]:
        """A converted schema that stands for the document's schema at ``pointer``, which must exist."""
        if pointer not in self._keys:
            key = self._keys[pointer] = f"s{len(self._keys)}"  # known before it is converted: recursive schemas end
            outer, self._root = self._root, pointer
            self.bank[key] = self._schema(self.source.at(pointer), _Place(pointer))
            self._root = outer
        return {"$ref": f"{BANK}#/$defs/{self._keys[pointer]}"}

    def origin(self, key: str) -> str:
        """Where the schema that the bank keeps under ``key`` stands in the document."""
        return next(pointer for pointer, other in self._keys.items() if other == key)

    def loose(self, schema: Json, at: str) -> Json:
        """Convert a schema that stands somewhere below ``at``, where its problems are reported."""
        return self._schema(schema, _Place(at, here=False))

    def cycles(self) -> list[str]:
        """Pointers of schemas that refer to themselves without going into a property or an item: nothing can satisfy them."""
        done: set[str] = set()
        found: list[str] = []
        for start in self._edges:
            path: list[str] = []
            stack = [(start, False)]
            while stack:
                node, leaving = stack.pop()
                if leaving:
                    path.pop()
                    done.add(node)
                elif node in path:
                    found.append(node)
                elif node not in done:
                    path.append(node)
                    stack += [(node, True), *((target, False) for target in self._edges.get(node, ()))]
        return found

    def _schema(self, schema: Json, place: _Place) -> Json:
        if isinstance(schema, bool):
            return schema
        node = self.source.mapping(schema, place.pointer)
        if place.level > _DEEPEST:
            self.source.refuse(f"schemas nested deeper than {_DEEPEST} levels", clipped(place.pointer))
            return True
        for keyword in _UNSUPPORTED:
            if keyword in node:
                self.source.refuse(
                    f"{keyword} is not supported in a schema", place.pointer, "Use $ref with #/components/schemas/…."
                )
        if "$ref" in node and (self.source.is_30 or len(node) == 1):
            return self._ref(node["$ref"], place)  # 3.0: what stands beside $ref is ignored
        hidden = place.hidden | self._hidden_names(node, 0)
        result = self._keywords(node, place, hidden)
        if "$ref" in node:
            result.update(self._ref(node["$ref"], place))
        self._adapt(node, result)
        if "discriminator" in node:
            self._discriminate(node, result, place)
        return result

    def _ref(self, ref: Json, place: _Place) -> dict[str, Json]:
        found = self.source.target(ref) if isinstance(ref, str) else None
        if found is None or not isinstance(found[0], (dict, bool)):
            return {}  # Source.scan names it
        if place.here:
            self._edges.setdefault(self._root, set()).add(found[1])
        return self.reference(found[1])

    def _keywords(self, node: dict[str, Json], place: _Place, hidden: frozenset[str]) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key, value in node.items():
            if key in _COPIED:
                result[key] = value
            elif key in _MAPS:
                result[key] = self._map(key, value, place, hidden if key == "properties" else frozenset())
            elif key in _LISTS:
                result[key] = self._list(key, value, place, hidden if key == "allOf" else frozenset())
            elif key in _SINGLES:
                result[key] = self._schema(value, place.below(key, here=key in _IN_PLACE))
            elif key == "required":
                names = self.source.listing(value, place.pointer + "/required")
                result[key] = [name for name in names if not (isinstance(name, str) and name in hidden)]
        return result

    def _map(self, key: str, value: Json, place: _Place, hidden: frozenset[str]) -> Json:
        inner = place.below(key, here=key in _IN_PLACE)
        return {
            name: {_HIDDEN[self.side]: True} if name in hidden else self._schema(item, inner.below(name, here=True))
            for name, item in self.source.mapping(value, inner.pointer).items()
        }

    def _list(self, key: str, value: Json, place: _Place, hidden: frozenset[str]) -> Json:
        inner = place.below(key, here=key in _IN_PLACE)
        items = self.source.listing(value, inner.pointer)
        return [self._schema(item, inner.below(n, here=True, hidden=hidden)) for n, item in enumerate(items)]

    def _hidden_names(self, node: dict[str, Json], depth: int) -> frozenset[str]:
        """Properties that must not travel this way, declared here or in a branch of allOf."""
        mark = _HIDDEN[self.side]
        if not mark or depth > 5:
            return frozenset()
        properties = node.get("properties")
        names = (
            {name for name, item in properties.items() if self._has(item, mark)}
            if isinstance(properties, dict)
            else set()
        )
        branches = node.get("allOf")
        for branch in branches if isinstance(branches, list) else ():
            names |= self._hidden_names(self.source.resolved(branch), depth + 1)
        return frozenset(names)

    def _has(self, schema: Json, mark: str) -> bool:
        if not isinstance(schema, dict):
            return False
        return schema.get(mark) is True or ("$ref" in schema and self.source.resolved(schema).get(mark) is True)

    def _adapt(self, node: dict[str, Json], result: dict[str, Json]) -> None:
        """The keywords that OpenAPI spells otherwise, and the formats that JSON Schema does not know."""
        examples = [node["example"]] if "example" in node else node.get("examples")
        if isinstance(examples, list) and examples:
            result["examples"] = examples
        if self.source.is_30:
            _adapt_30(node, result)
        form = result.get("format")
        if not isinstance(form, str):
            return
        if form in INTEGER_FORMATS:
            low, high = INTEGER_FORMATS[form]
            result["minimum"] = max(low, _number(result.get("minimum"), low))
            result["maximum"] = min(high, _number(result.get("maximum"), high))
        elif form in _PATTERNS:
            pattern = {"pattern": _PATTERNS[form]}
            result.update(pattern if "pattern" not in result else {"allOf": [*result.get("allOf", []), pattern]})

    def _discriminate(self, node: dict[str, Json], result: dict[str, Json], place: _Place) -> None:
        """A oneOf or anyOf with a discriminator becomes one ``if`` for each name, so that errors are the right branch's.

        Only when every alternative that is not ``null`` is a reference; otherwise OpenAPI gives it no meaning.
        """
        word = "oneOf" if "oneOf" in node else "anyOf"
        chosen = node["discriminator"]
        name = chosen.get("propertyName") if isinstance(chosen, dict) else None
        branches = node.get(word)
        if not isinstance(name, str) or not isinstance(branches, list):
            return
        targets = [
            self.source.target(b["$ref"]) for b in branches if isinstance(b, dict) and isinstance(b.get("$ref"), str)
        ]
        inline = [n for n, b in enumerate(branches) if not (isinstance(b, dict) and "$ref" in b)]
        if None in targets or any(branches[n] != {"type": "null"} for n in inline):
            return
        names = self._names(chosen.get("mapping"), [target[1] for target in targets if target], place)
        alternatives = result.pop(word)
        chooser = _chooser(name, {key: self._ref("#" + quote(at), place) for key, at in names.items()})
        choice = {"if": {"type": "object"}, "then": chooser, "else": {word: alternatives}}
        result["allOf"] = [*result.get("allOf", []), choice]

    def _names(self, mapping: Json, targets: list[str], place: _Place) -> dict[str, str]:
        """Discriminator values and the pointers of the schemas they choose, explicit names before implicit ones."""
        explicit: dict[str, str] = {}
        for name, ref in (mapping if isinstance(mapping, dict) else {}).items():
            local = ref if isinstance(ref, str) and ref.startswith("#") else f"#/components/schemas/{ref}"
            found = self.source.target(local)
            if found is None:
                at = f"{place.pointer}/discriminator/mapping{token(name)}"
                self.source.refuse(f"the discriminator's {name!r} leads nowhere: {ref!r}", at)
            else:
                explicit[str(name)] = found[1]
        implicit = {target.rpartition("/")[2]: target for target in targets if target not in explicit.values()}
        return implicit | explicit


def _chooser(name: str, branches: dict[str, Json]) -> dict[str, Json]:
    cases = [
        {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": branch}
        for value, branch in branches.items()
    ]
    return {"required": [name], "properties": {name: {"enum": list(branches)}}, "allOf": cases}


def _adapt_30(node: dict[str, Json], result: dict[str, Json]) -> None:
    """``nullable`` counts only beside ``type``, and does not add null to ``enum``: OpenAPI 3.0.3, Schema Object."""
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        result["type"] = [node["type"], "null"]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(exclusive), bool):
            del result[exclusive]
            if node[exclusive] and bound in result:
                result[exclusive] = result.pop(bound)


def _number(value: Any, otherwise: int) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise
