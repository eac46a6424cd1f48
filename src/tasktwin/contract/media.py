"""Bodies by media type: which one is meant, and from bytes to a value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tasktwin import wire
from tasktwin.contract import cast
from tasktwin.contract.event import EVENT_STREAM, event_schema
from tasktwin.contract.parameter import read_pairs
from tasktwin.contract.schema import Schema, Schemas
from tasktwin.contract.style import inner_cast
from tasktwin.contract.violation import Violation, Where, clipped, token
from tasktwin.wire import Json

Form: TypeAlias = Literal["json", "form", "multipart", "text", "xml", "bytes"]

FormFields: TypeAlias = Mapping[str, Sequence[str | bytes]]
"""The values of each field of a form: texts, and bytes for uploaded files."""

MOST_PARTS: Final = 1000
"""A form with more parts or fields than this is refused."""

_REMEMBERED: Final = 64
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Medium:
    """One media type that an operation reads or answers. ``schema`` is ``None`` if anything will do.

    Of a stream ``event`` is the schema of each event, as far as there is one.
    """

    name: str
    form: Form
    schema: Schema | None
    fields: "FieldPlan | None" = None
    event: Schema | None = None

    def decode(self, raw: bytes, content_type: str) -> Json:
        """Bytes to a value. Raises ``Unreadable``."""
        if self.form == "json":
            try:
                return wire.loads(raw)
            except ValueError as error:
                raise Unreadable("json", f"not JSON: {clipped(str(error))}") from None
        if self.form in {"form", "multipart"}:
            plan = self.fields or FieldPlan({}, frozenset(), cast.same)
            return plan.read(_form(raw) if self.form == "form" else _multipart(raw, content_type))
        return _text(raw, content_type) if self.form == "text" else raw

    def check(self, value: Json, where: Where) -> tuple[Violation, ...]:
        """What is wrong with a decoded value. Bytes are checked as a text of as many characters."""
        if self.schema is None or self.schema.is_valid(value):
            return ()
        return self.schema.check(_checkable(value), where)


class Unreadable(Exception):  # noqa: N818 - never leaves this package: it becomes a violation
    """Bytes that are not what their media type says."""

    def __init__(self, keyword: str, message: str) -> None:
        super().__init__(message)
        self.keyword = keyword


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How to read the fields of a form, whose values arrive as texts (bytes for uploaded files)."""

    casts: dict[str, cast.Cast]
    lists: frozenset[str]
    other: cast.Cast

    def read(self, fields: FormFields) -> dict[str, Json]:
        """A field sent several times is a list; one that the schema declares as a list always is."""
        result: dict[str, Json] = {}
        for name, values in fields.items():
            read = self.casts.get(name, self.other)
            items = [read(value) if isinstance(value, str) else value for value in values]
            result[name] = items if name in self.lists or (len(items) > 1 and name not in self.casts) else items[-1]
        return result


@dataclass(slots=True)
class Content:
    """The media types of a body. ``choose`` takes the exact one before ``type/*`` before ``*/*``."""

    media: dict[str, Medium]
    _chosen: dict[str, Medium | None] = field(default_factory=dict)

    def choose(self, content_type: str) -> Medium | None:
        """The medium that a Content-Type means, its parameters ignored; ``None`` if it is not declared."""
        try:
            return self._chosen[content_type]
        except KeyError:
            medium = self._choose(content_type.partition(";")[0].strip().lower())
            if len(self._chosen) < _REMEMBERED:
                self._chosen[content_type] = medium
            return medium

    def _choose(self, name: str) -> Medium | None:
        main, slash, sub = name.partition("/")
        if not (main and slash and sub):
            return None
        ranges = (name, f"{main}/*+{sub.rpartition('+')[2]}" if "+" in sub else name, f"{main}/*", "*/*", "*")
        declared = next((self.media[key] for key in ranges if key in self.media), None)
        if declared is None or declared.name == name:
            return declared
        return Medium(name, form_of(name), declared.schema, declared.fields)

    def first_json(self) -> Medium | None:
        """The first JSON media type: what a body without a Content-Type is taken for."""
        return next((medium for medium in self.media.values() if medium.form == "json"), None)


def content(schemas: Schemas, node: dict[str, Json], pointer: str, side: Literal["request", "response"]) -> Content:
    """Compile a ``content`` map, which stands at ``pointer``."""
    result: dict[str, Medium] = {}
    for key, value in node.items():
        here = pointer + token(key)
        media = schemas.source.mapping(value, here)
        name = key.partition(";")[0].strip().lower()
        schema = schemas.at(side, f"{here}/schema") if "schema" in media else None
        form = form_of(name)
        has_fields = schema is not None and ("*" in name or form in {"form", "multipart"})
        plan = _field_plan(schemas, schema.resolved, here) if schema and has_fields else None
        event = event_schema(schemas, media, here) if name == EVENT_STREAM and side == "response" else None
        result[name] = Medium(name, form, schema, plan, event)
    return Content(result)


def form_of(name: str) -> Form:
    """How bodies of a media type are read."""
    main, _, sub = name.partition("/")
    if sub == "json" or sub.endswith("+json"):
        return "json"
    if sub == "xml" or sub.endswith("+xml"):
        return "xml"
    if name == FORM:
        return "form"
    return "multipart" if name == MULTIPART else "text" if main == "text" else "bytes"


def _field_plan(schemas: Schemas, schema: dict[str, Json], at: str) -> FieldPlan:
    properties, other = cast.members(schemas.source, schema)
    casts: dict[str, cast.Cast] = {}
    lists: set[str] = set()
    for name, item in properties.items():
        types = cast.kinds(schemas.source, item)
        inner = cast.items(schemas.source, item) if "array" in types else item
        if "array" in types:
            lists.add(name)
        casts[name] = _field_cast(schemas, inner, at)
    return FieldPlan(casts, frozenset(lists), _field_cast(schemas, other, at))


def _field_cast(schemas: Schemas, schema: Json, at: str) -> cast.Cast:
    types = cast.kinds(schemas.source, schema)
    if "object" in types or "array" in types:
        return _json_or_text
    return inner_cast(schemas, schema, at)


def _json_or_text(text: str) -> Json:
    """Objects inside a form are JSON: OpenAPI, Encoding Object, default contentType."""
    try:
        return wire.loads(text.encode("utf-8", "surrogateescape"))
    except ValueError:
        return text


def _form(raw: bytes) -> FormFields:
    if raw.count(b"&") >= MOST_PARTS:
        raise Unreadable("encoding", f"a form with more than {MOST_PARTS} fields is refused")
    fields = read_pairs(raw)
    if not all(_is_text(name) and all(map(_is_text, values)) for name, values in fields.items()):
        raise Unreadable("encoding", "the form is not UTF-8")
    return fields


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(raw: bytes, content_type: str) -> str:
    charset = parse_options_header(content_type)[1].get(b"charset", b"utf-8").decode("latin-1")
    try:
        return raw.decode(charset if charset.lower() in {"latin-1", "iso-8859-1", "us-ascii"} else "utf-8")
    except UnicodeDecodeError:
        raise Unreadable("encoding", f"the body is not text in {clipped(charset, 40)}") from None


class _Parts:
    """Collects the parts of a multipart body."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str | bytes]] = {}
        self.count = 0
        self.closed = False
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._data: list[bytes] = []

    def begin(self) -> None:
        self.count += 1
        if self.count > MOST_PARTS:
            raise Unreadable("encoding", f"a form with more than {MOST_PARTS} parts is refused")
        self._headers, self._data = {}, []

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if name is None:
            raise Unreadable("encoding", "a part of the form has no name")
        self.fields.setdefault(name.decode("utf-8", "replace"), []).append(self._content(options))

    def _content(self, options: Mapping[bytes, bytes]) -> str | bytes:
        raw = b"".join(self._data)
        if b"filename" in options:
            return raw
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw

    def end(self) -> None:
        self.closed = True


def _multipart(raw: bytes, content_type: str) -> FormFields:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Unreadable("encoding", "the Content-Type lacks the boundary of the form")
    parts = _Parts()
    callbacks: dict[str, Callable[..., None]] = {
        "on_part_begin": parts.begin, "on_header_field": parts.header_name, "on_header_value": parts.header_value,
        "on_header_end": parts.header_end, "on_part_data": parts.data, "on_part_end": parts.part_end, "on_end": parts.end,
    }  # fmt: skip
    try:
        parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        parser.write(raw)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Unreadable("encoding", f"the form cannot be taken apart: {clipped(str(error))}") from None
    if not parts.closed:
        raise Unreadable("encoding", "the form ends before its last boundary")
    return parts.fields


def _checkable(value: Json) -> Json:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict) and any(isinstance(item, (bytes, list)) for item in value.values()):
        return {name: _checkable(item) for name, item in value.items()}
    if isinstance(value, list) and any(isinstance(item, bytes) for item in value):
        return [_checkable(item) for item in value]
    return value
