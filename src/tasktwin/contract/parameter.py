"""Parameters: from what is on the wire to typed values."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from tasktwin import wire
from tasktwin.contract.schema import Schemas
from tasktwin.contract.style import ABSENT, Fields, Flaw, Reader, Style, Take, exploded_object
from tasktwin.contract.violation import clipped, token
from tasktwin.wire import Json

Location: TypeAlias = Literal["path", "query", "header", "cookie"]

LOCATIONS: Final[tuple[Location, ...]] = ("path", "query", "header", "cookie")

STYLES: Final[dict[str, tuple[str, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
"""The styles that OpenAPI defines for each location, the default first."""

IGNORED_HEADERS: Final = frozenset({"accept", "content-type", "authorization"})
"""Header parameters of these names have no meaning: OpenAPI, Parameter Object."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation, compiled.

    ``name`` is lower case for a header. ``schema`` is the converted one. ``default`` is ``ABSENT`` if there is none.
    ``uncovered`` says what the plan cannot read.
    """

    name: str
    where: Location
    required: bool
    schema: Json
    take: Take
    default: Json = ABSENT
    uncovered: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A parameter object of the document and where it stands. Its name and location are known to be right."""

    node: dict[str, Json]
    pointer: str

    @property
    def name(self) -> str:
        """The name, lower case for a header."""
        name = str(self.node["name"])
        return name.lower() if self.where == "header" else name

    @property
    def where(self) -> Location:
        """The location."""
        where: Location = self.node["in"]
        return where

    @property
    def required(self) -> bool:
        """Whether it must be sent. A path parameter always is."""
        return self.node.get("required") is True or self.where == "path"


def read_pairs(raw: bytes) -> dict[str, list[str]]:
    """``a=1&b=2`` to the values of each name. ``+`` is a space; bytes that are not UTF-8 stay as lone surrogates.

    A percent sign without two hexadecimal digits stands for itself.
    """
    text = raw.decode("utf-8", "surrogateescape")
    fields: dict[str, list[str]] = {}
    escaped = "%" in text or "+" in text
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if escaped:
            name, value = _unquoted(name), _unquoted(value)
        fields.setdefault(name, []).append(value)
    return fields


def read_cookies(header: str) -> dict[str, list[str]]:
    """The Cookie header to the values of each name. Values are not percent-decoded: RFC 6265."""
    fields: dict[str, list[str]] = {}
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            fields.setdefault(name, []).append(value.strip('"'))
    return fields


def read_headers(headers: Sequence[tuple[bytes, bytes]], names: Container[bytes] | None = None) -> dict[str, list[str]]:
    """Header lines, by lower-case name, and their values; only those of ``names``, if given."""
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        known = name.lower()
        if names is None or known in names:
            fields.setdefault(known.decode("latin-1"), []).append(value.decode("latin-1").strip())
    return fields


def parameter(schemas: Schemas, declared: Declared, others: frozenset[str]) -> Parameter:
    """Compile a parameter. ``others`` are the names of all query parameters beside it."""
    if "content" in declared.node:
        return _with_content(schemas, declared)
    at = f"{declared.pointer}/schema"
    if not schemas.source.has(at):
        return Parameter(declared.name, declared.where, declared.required, schema=True, take=lambda _fields: ABSENT)
    schema = schemas.at("request", at)
    take = _take(declared, Reader(schemas, at, schema), others)
    converted = schemas.converted("request", at)
    if declared.where == "query":
        take, converted = _emptiness(take, declared, converted)
    default = schema.resolved.get("default", ABSENT)
    return Parameter(declared.name, declared.where, declared.required, converted, take, default)


def _take(declared: Declared, reader: Reader, others: frozenset[str]) -> Take:
    style = str(declared.node.get("style", STYLES[declared.where][0]))
    explode = declared.node.get("explode", style == "form") is True
    if declared.where == "query" and style == "form" and explode and reader.shape == "object":
        return exploded_object(reader, others)
    return Style(style, explode, declared.name).take(reader)


def _with_content(schemas: Schemas, declared: Declared) -> Parameter:
    """A parameter whose text is a document of its own, usually JSON."""
    content = schemas.source.mapping(declared.node["content"], f"{declared.pointer}/content")
    if len(content) != 1:
        schemas.source.refuse("the content of a parameter needs exactly one media type", f"{declared.pointer}/content")
    media = next(iter(content), "")
    at = f"{declared.pointer}/content{token(media)}/schema"
    converted = schemas.converted("request", at) if schemas.source.has(at) else True
    is_json = media.partition(";")[0].strip().lower().endswith(("/json", "+json"))
    take = (
        _json(declared.name)
        if is_json
        else Style("form", explode=False, name=declared.name).take(Reader(schemas, at, None))
    )
    uncovered = "" if is_json else f"the parameter {declared.name} is {media}"
    return Parameter(declared.name, declared.where, declared.required, converted, take, uncovered=uncovered)


def _json(name: str) -> Take:
    def take(fields: Fields) -> Json:
        values = fields.get(name)
        if values is None:
            return ABSENT
        try:
            return wire.loads(values[-1].encode())
        except ValueError as error:
            return Flaw("json", f"{name} is not JSON: {clipped(str(error))}", clipped(values[-1]))

    return take


def _emptiness(take: Take, declared: Declared, converted: Json) -> tuple[Take, Json]:
    """An empty query value needs ``allowEmptyValue``, and is then right whatever the schema says."""
    if declared.node.get("allowEmptyValue") is True:
        return take, {"if": {"const": ""}, "else": converted}
    flaw = Flaw("allowEmptyValue", f"{declared.name} must not be empty")

    def take_nonempty(fields: Fields) -> Json:
        value = take(fields)
        return flaw if value == "" else value

    return take_nonempty, converted


def _unquoted(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
