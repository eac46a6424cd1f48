"""Serialisation styles: how lists and objects are written in a path, a query, a header or a cookie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tasktwin.contract import cast
from tasktwin.contract.schema import Schema, Schemas
from tasktwin.wire import Json

Fields: TypeAlias = Mapping[str, list[str]]
"""What was sent in one location: every value of each name, decoded."""

Take: TypeAlias = Callable[[Fields], Json]
"""Reads one parameter: its value, ``ABSENT``, or a ``Flaw``."""

_SEPARATORS: Final = {"spaceDelimited": " ", "pipeDelimited": "|"}
_REPEATED: Final = frozenset({"form", "spaceDelimited", "pipeDelimited"})
_EXPLODED: Final = {"simple": ",", "label": ".", "matrix": ";"}


class _Absent:
    __slots__ = ()


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Flaw:
    """A value that could not be read at all."""

    keyword: str
    message: str
    actual: str = ""


class Reader:
    """Turns the texts of one parameter into values, as its schema has them. ``at`` is where the schema stands."""

    def __init__(self, schemas: Schemas, at: str, schema: Schema | None) -> None:
        source, resolved = schemas.source, (schema.resolved if schema else {})
        self.types = cast.kinds(source, resolved)
        self.shape = cast.shape(self.types)
        self.check: cast.Check = schema.is_valid if schema else cast.anything
        self.scalar = cast.scalar(self.types, self.check)
        self.item: cast.Cast = cast.same
        self.other: cast.Cast = cast.same
        self.names: dict[str, cast.Cast] = {}
        self.is_open = False
        if "array" in self.types:
            self.item = inner_cast(schemas, cast.items(source, resolved), at)
        if "object" in self.types:
            properties, other = cast.members(source, resolved)
            self.names = {name: inner_cast(schemas, item, at) for name, item in properties.items()}
            self.is_open, self.other = other is not False, inner_cast(schemas, other, at)

    def array(self, texts: Sequence[str]) -> Json:
        """A list with each item cast."""
        return [self.item(text) for text in texts]

    def object(self, pairs: Sequence[tuple[str, str]]) -> Json:
        """An object with each property cast; of a name given twice the last value counts."""
        return {name: self.names.get(name, self.other)(text) for name, text in pairs}


def inner_cast(schemas: Schemas, schema: Json, at: str) -> cast.Cast:
    """How to read an item, a property or a field, whose schema stands somewhere below ``at``."""
    types = cast.kinds(schemas.source, schema)
    if len(types) < 2:
        return cast.scalar(types, cast.anything)
    return cast.scalar(types, schemas.composed("request", schemas.loose("request", schema, at)).is_valid)


@dataclass(frozen=True, slots=True)
class Style:
    """One way of writing the value of ``name``."""

    style: str
    explode: bool
    name: str

    def take(self, reader: Reader) -> Take:
        """How to read a parameter in this style."""
        if self.style == "deepObject":
            return _deep_object(self.name, reader)
        if reader.shape == "scalar":
            return _scalar(self, reader)
        readings: dict[str, Callable[[list[str]], Json]] = {
            "array": lambda values: reader.array(self.listed(values)),
            "object": lambda values: reader.object(pairs) if (pairs := self.paired(values)) is not None else values[-1],
        }
        if reader.shape != "mixed":
            return _only(self.name, readings[reader.shape])
        possible = [readings[kind] for kind in reader.types if kind in readings]
        return _first_valid(self.name, [*possible, lambda values: reader.scalar(self.bare(values[-1]))], reader.check)

    def bare(self, text: str) -> str:
        """The text without what the style puts before it; one that lacks it stays, and will break the schema."""
        if self.style == "label":
            return text.removeprefix(".")
        return text.removeprefix(f";{self.name}=") if self.style == "matrix" else text

    def listed(self, values: list[str]) -> list[str]:
        """The items of a list. Blanks around commas in a header do not count: RFC 9110, 5.6.1."""
        if self.explode and self.style in _REPEATED:
            return values
        text = self._joined(values)
        if self.explode and self.style == "matrix":
            return [part.removeprefix(f"{self.name}=") for part in text.removeprefix(";").split(";")]
        if self.explode and self.style == "label":
            return text.removeprefix(".").split(".")
        parts = self.bare(text).split(_SEPARATORS.get(self.style, ","))
        return [part.strip(" \t") for part in parts] if self.style == "simple" else parts

    def paired(self, values: list[str]) -> list[tuple[str, str]] | None:
        """The names and values of an object; ``None`` if the text is not one."""
        text = self._joined(values)
        if self.explode and self.style in _EXPLODED:
            mark = _EXPLODED[self.style]
            halves = [part.partition("=") for part in text.removeprefix("" if mark == "," else mark).split(mark)]
            whole = all(equals for _, equals, _ in halves)
            return [(left.strip(), right) for left, _, right in halves] if whole else None
        parts = self.bare(text).split(_SEPARATORS.get(self.style, ","))
        return list(zip(parts[::2], parts[1::2], strict=True)) if len(parts) % 2 == 0 else None

    def _joined(self, values: list[str]) -> str:
        """One text: header lines of one name are one list, of other values the last counts."""
        return ", ".join(values) if self.style == "simple" else values[-1]


def exploded_object(reader: Reader, others: frozenset[str]) -> Take:
    """``style: form, explode: true``: each property is a query parameter of its own, unless it is one of ``others``."""

    def take(fields: Fields) -> Json:
        mine = [name for name in fields if name in reader.names or (reader.is_open and name not in others)]
        return reader.object([(name, fields[name][-1]) for name in mine]) if mine else ABSENT

    return take


def _only(name: str, reading: Callable[[list[str]], Json]) -> Take:
    def take(fields: Fields) -> Json:
        values = fields.get(name)
        return ABSENT if values is None else reading(values)

    return take


def _first_valid(name: str, readings: list[Callable[[list[str]], Json]], check: cast.Check) -> Take:
    def take(fields: Fields) -> Json:
        values = fields.get(name)
        if values is None:
            return ABSENT
        results = [reading(values) for reading in readings]
        return next((result for result in results if check(result)), results[-1])

    return take


def _scalar(style: Style, reader: Reader) -> Take:
    """A single value. Of several in a query or cookie the last one counts; header lines are joined: RFC 9110, 5.3."""
    name, read = style.name, reader.scalar
    if style.style == "simple":
        return _only(name, lambda values: read(", ".join(values)))
    if style.style in {"label", "matrix"}:
        return _only(name, lambda values: read(style.bare(values[-1])))

    def take(fields: Fields) -> Json:
        values = fields.get(name)
        return ABSENT if values is None else read(values[-1])

    return take


def _deep_object(name: str, reader: Reader) -> Take:
    """``name[key]=value``. Deeper brackets have no meaning in OpenAPI and are ignored."""
    start = f"{name}["

    def take(fields: Fields) -> Json:
        pairs = [
            (key[len(start) : -1], values[-1])
            for key, values in fields.items()
            if key.startswith(start) and key.endswith("]") and "[" not in key[len(start) :]
        ]
        return reader.object(pairs) if pairs else ABSENT

    return take
