"""From JSON Schema to the fields of Django REST framework.

A property becomes the field whose schema drf-spectacular would write so: a text with ``minLength`` may not be blank,
objects with properties are serializers (``many=True`` in an array), objects without are ``DictField``, a text with a
``contentMediaType`` is a file; several types are ``JSONField``, and so is none at all, which may be null; a ``default``
is the field's default; what is ``readOnly`` is no field. What JSON Schema cannot say stands in extensions of the schema:

- ``x-trim: false``: white space at the ends is kept.
- ``x-case: lower``: the text is stored in lower case.
- ``x-related: true``: the value is the key of another row (an integer, or a text of format ``uuid``).
- ``x-lenient: true``: the number is one of the paginator: a wrong one counts as none, one too high as the highest.
- ``x-messages: {keyword: text}``: the keyword is not the field's own rule but one of the serializer's
  ``validate_<name>``: it is checked after the field, with these words and the code ``invalid``; blank and null pass.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

from tasktwin.contract.style import ABSENT
from tasktwin.dialect.field import (
    Boolean,
    Choice,
    Day,
    Field,
    File,
    Kind,
    Moment,
    Number,
    Page,
    Related,
    Text,
    Uuid,
)
from tasktwin.dialect.nested import AnyJson, Dictionary, Items, Many, Serializer
from tasktwin.wire import Json

DEEPEST: Final = 60
"""Schemas nested deeper than this take anything."""


class Compiler:
    """Makes the fields of one operation. ``partial`` serializers require nothing and fill in nothing."""

    def __init__(self, resolved: Callable[[Json], dict[str, Json]], *, partial: bool) -> None:
        self._resolved = resolved
        self._partial = partial
        self._made: dict[int, Kind] = {}

    def field(self, name: str, schema: Json, level: int = 0, *, required: bool = False) -> Field:
        """A field of this schema."""
        flat = self._flat(schema, 0)
        messages = flat.get("x-messages", {})
        own = {key: flat.pop(key) for key in messages if key in flat}
        kind = self._kind(schema, flat, level)
        default = ABSENT if self._partial else flat.get("default", ABSENT)
        checks = tuple((_check(key, each), str(messages[key])) for key, each in own.items())
        return Field(name, kind, required and not self._partial, flat["nullable"], default, checks)

    def _kind(self, schema: Json, flat: dict[str, Json], level: int) -> Kind:
        """The kind of a schema. One that stands inside itself is made once."""
        if level > DEEPEST:
            return AnyJson()
        if id(schema) in self._made:
            return self._made[id(schema)]
        shape = _shape(flat)
        match shape:
            case "serializer":
                serializer = self._made[id(schema)] = Serializer()
                serializer.fields = self._fields(flat, level)
                return serializer
            case "array":
                return self._items(schema, flat, level)
            case "object":
                dictionary = self._made[id(schema)] = Dictionary(empty=not flat.get("minProperties"))
                if flat.get("additionalProperties") not in (None, True, False, {}):
                    dictionary.child = self.field("", flat["additionalProperties"], level + 1)
                return dictionary
        made = _simple(flat, shape)
        return replace(made, missing=ABSENT) if isinstance(made, Boolean) and self._partial else made

    def _fields(self, flat: dict[str, Json], level: int) -> tuple[Field, ...]:
        required = set(flat.get("required", ()))
        return tuple(
            self.field(name, each, level + 1, required=name in required)
            for name, each in flat["properties"].items()
            if self._resolved(each).get("readOnly") is not True
        )

    def _items(self, schema: Json, flat: dict[str, Json], level: int) -> Items:
        fewest = flat.get("minItems", 0)
        many = "items" in flat and _shape(self._flat(flat["items"], 0)) == "serializer"
        items = self._made[id(schema)] = (Many if many else Items)(
            empty=fewest != 1, fewest=fewest if fewest > 1 else 0, most=flat.get("maxItems", math.inf)
        )
        if flat.get("items") not in (None, True, {}):
            items.child = self.field("", flat["items"], level + 1)
        return items

    def _flat(self, schema: Json, level: int) -> dict[str, Json]:
        """A schema with its references, ``allOf`` and alternatives taken apart; ``nullable`` is always there."""
        node = self._resolved(schema) if level <= DEEPEST else {}
        whole: dict[str, Json] = {}
        for part in node.get("allOf", ()):
            whole = _joined(whole, self._flat(part, level + 1))
        whole = _joined(whole, {key: each for key, each in node.items() if key != "allOf"})
        options = [self._flat(each, level + 1) for each in (whole.pop("anyOf", None) or whole.pop("oneOf", None) or ())]
        null = whole.get("nullable") is True or any(each["nullable"] for each in options)
        if options:
            whole = _joined(_alternative([each for each in options if each.get("type") != "null"]), whole)
        kinds = whole.get("type")
        if isinstance(kinds, list):
            null = null or "null" in kinds
            rest = [each for each in kinds if each != "null"]
            whole["type"] = rest[0] if len(rest) == 1 else rest
        if "const" in whole:
            whole["enum"] = [whole["const"]]
        typed = options or whole.get("properties") or not whole.keys().isdisjoint(("type", "enum"))
        null = null or not typed or whole.get("type") == "null" or None in whole.get("enum", ())
        return {**whole, "nullable": null}


def _joined(base: Mapping[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
    """Two schemas that both hold."""
    whole = {**base, **more}
    if "properties" in base and "properties" in more:
        whole["properties"] = {**base["properties"], **more["properties"]}
    if "required" in base and "required" in more:
        whole["required"] = [*base["required"], *more["required"]]
    return whole


def _alternative(options: list[dict[str, Json]]) -> dict[str, Json]:
    """The one schema of a field that the document shows as several: choices, or objects told apart by a field."""
    if len(options) == 1:
        return options[0]
    if options and all("enum" in each for each in options):
        return {"enum": [value for each in options for value in each["enum"]]}
    if options and all(_shape(each) == "serializer" for each in options):
        properties = {name: each for option in options for name, each in option["properties"].items()}
        required = [name for name in properties if all(name in each.get("required", ()) for each in options)]
        return {"type": "object", "properties": properties, "required": required}
    return {}


def _shape(flat: Mapping[str, Json]) -> str:
    """The type, where ``serializer`` is an object with properties and ``""`` anything."""
    kind = flat.get("type", "object" if flat.get("properties") else "")
    if kind == "object" and flat.get("properties"):
        return "serializer"
    return kind if isinstance(kind, str) else ""


def _simple(flat: Mapping[str, Json], shape: str) -> Kind:
    """The kind of what is no container."""
    if flat.get("x-related") is True:
        return Related(uuid=shape == "string")
    if flat.get("x-lenient") is True:
        return Page(flat.get("minimum", 0), flat.get("maximum", math.inf), flat.get("default", ABSENT))
    if "enum" in flat:
        choices = {str(each): each for each in flat["enum"] if each is not None and each != ""}
        return Choice(choices, "" in flat["enum"])
    match shape:
        case "string":
            return _text(flat)
        case "integer" | "number":
            return Number(shape == "integer", flat.get("minimum"), flat.get("maximum"))
        case "boolean":
            return Boolean(flat["nullable"], None if flat["nullable"] else False)
    return AnyJson()


def _text(flat: Mapping[str, Json]) -> Kind:
    formats: dict[str, Callable[[], Kind]] = {"uuid": Uuid, "date-time": Moment, "date": Day, "binary": File}
    form = "binary" if "contentMediaType" in flat else flat.get("format")
    if form in formats:
        return formats[form]()
    shortest, pattern = flat.get("minLength", 0), flat.get("pattern")
    return Text(
        blank=shortest < 1,
        trim=flat.get("x-trim") is not False,
        lower=flat.get("x-case") == "lower",
        shortest=shortest,
        longest=flat.get("maxLength", math.inf),
        matches=_check("pattern", pattern) if pattern is not None else None,
    )


def _check(keyword: str, value: Json) -> Callable[[Any], bool]:
    """Whether a value satisfies one keyword."""
    holds = Draft202012Validator({keyword: value}).is_valid

    def check(given: Any) -> bool:
        if given in (None, ""):
            return True
        try:
            return holds(given)
        except (ValueError, TypeError, OverflowError):
            return False

    return check
