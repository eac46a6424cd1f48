"""One operation: what it takes and what it answers, compiled."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tasktwin.contract.media import Content, Unreadable
from tasktwin.contract.parameter import Declared, read_cookies, read_headers, read_pairs
from tasktwin.contract.reference import Reference
from tasktwin.contract.response import Responses
from tasktwin.contract.schema import Schema
from tasktwin.contract.style import ABSENT, Fields, Flaw, Take
from tasktwin.contract.violation import MOST, Violation, Where, clipped, quoted, token
from tasktwin.wire import Json

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Header lines as ASGI has them."""

Requirement: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Schemes that must all be given, each with its scopes. ``()`` lets everybody in."""

_SAYS_NOTHING = frozenset({"title", "description", "example", "examples", "deprecated"})


@dataclass(slots=True)
class Reading:
    """A request, decoded and typed. Header names are lower case. ``body`` is ``None`` if there is none.

    Parameters that are absent have their default; those that could not be read are missing. In a form body texts are
    cast as the schema says and uploaded files are bytes. If there are violations the rest is as far as it could be
    read.
    """

    path: dict[str, Json]
    query: dict[str, Json]
    header: dict[str, Json]
    cookie: dict[str, Json]
    body: Json = None
    media: str = ""
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """What an operation takes as its body."""

    content: Content
    required: bool


@dataclass(frozen=True, slots=True)
class ParameterPlan:
    """All parameters of an operation, with one schema for all: an object for each location, with a property for each."""

    path: tuple[tuple[str, Take], ...]
    query: tuple[tuple[str, Take], ...]
    header: tuple[tuple[str, Take], ...]
    cookie: tuple[tuple[str, Take], ...]
    defaults: tuple[tuple[str, str, Json], ...]
    schema: Schema
    lines: frozenset[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Know which header lines are looked at: a request has many that nobody declared."""
        names = [name.lower().encode() for name, _ in self.header]
        object.__setattr__(self, "lines", frozenset([*names, b"cookie"] if self.cookie else names))


@dataclass(slots=True, eq=False)
class Operation:
    """One operation of the contract.

    ``id`` is its ``operationId``, or ``method path`` without one. ``path`` is the template as in the document.
    ``declared`` are its parameters as the document has them; ``resolved`` follows the references of a schema's top.
    ``security`` is an OR of ANDs: one of the requirements must be met; ``()`` means public. ``success`` is the first
    declared 2xx status, 200 if there is only a range or a default. ``uncovered`` says why openapi-core checks this
    operation instead of the compiled plan, ``""`` if it does not.
    """

    id: str
    method: str
    path: str
    pointer: str
    summary: str
    security: tuple[Requirement, ...]
    extensions: dict[str, Json] = field(repr=False)
    raw: Json = field(repr=False)
    success: int
    parameters: ParameterPlan | None = field(repr=False)
    body: Body | None = field(repr=False)
    responses: Responses = field(repr=False)
    declared: tuple[Declared, ...] = field(repr=False)
    resolved: Callable[[Json], dict[str, Json]] = field(repr=False)
    uncovered: str
    reference: Reference = field(repr=False)
    texts: frozenset[str] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find out whether a request is nothing but texts in its path, so that there is nothing to check."""
        free = all(each.where == "path" and _is_text_of_any_kind(each, self.resolved) for each in self.declared)
        trivial = free and self.body is None and not self.uncovered
        self.texts = frozenset(each.name for each in self.declared) if trivial else None

    @property
    def body_required(self) -> bool:
        """Whether a request without a body breaks the contract."""
        return self.body is not None and self.body.required

    @property
    def body_schema(self) -> dict[str, Json] | None:
        """The schema of the JSON body as in the document, its reference followed; ``None`` without such a body."""
        medium = self.body.content.first_json() if self.body else None
        return medium.schema.resolved if medium and medium.schema else None

    @property
    def request_media(self) -> tuple[str, ...]:
        """The media types and ranges of the request body, as declared but lower case."""
        return tuple(self.body.content.media) if self.body else ()

    def read(self, path_values: Mapping[str, str], query: bytes, headers: Headers, body: bytes) -> Reading:
        """Decode and check a request.

        ``path_values`` are ``Match.path_values``, ``query`` is raw and without its question mark, ``headers`` are raw
        lines in any case. Of a query parameter sent several times that is no list the last value counts; header lines
        of one name are joined. Query parameters that are not declared are ignored, as is a body where none is declared. A body without a Content-Type is taken
        for the first JSON media type.
        """
        reading = Reading({}, {}, {}, {})
        if self.texts is not None and path_values.keys() == self.texts and "".join(path_values.values()).isascii():
            reading.path = dict(path_values)
            return reading
        if self.parameters is not None:
            reading.violations = _read_parameters(self.parameters, reading, path_values, query, headers)
        if self.body is not None:
            found = _read_body(self.body, reading, headers, body)
            if found:
                reading.violations = (reading.violations + found)[:MOST]
        if self.uncovered:
            reading.violations = self.reference.request(self, path_values, query, headers, body)
        return reading

    def headers(self, headers: Headers) -> dict[str, Json]:
        """The declared header parameters that a request carries; those that cannot be read are left out."""
        plan = self.parameters
        return _take(plan.header, read_headers(headers, plan.lines), "header", []) if plan and plan.header else {}

    def check_response(
        self, status: int, media: str, body: Json, headers: Mapping[str, str] | None = None
    ) -> tuple[Violation, ...]:
        """What is wrong with a response.

        ``media`` is the Content-Type, ``""`` for a response without a body. ``body`` is the decoded value for JSON,
        text or bytes for other media, ``None`` for no body. Headers are checked if given, their names in any case.
        """
        if self.uncovered:
            return self.reference.response(self, status, media, body, headers)
        return self.responses.check(status, media, body, headers)

    def check_event(self, status: int, value: Json) -> tuple[Violation, ...]:
        """What is wrong with one event of a stream: an object with ``data``, decoded, and maybe ``event`` and ``id``."""
        return self.responses.check_event(status, value)

    def example(self, status: int) -> tuple[str, Json] | None:
        """A documented example for a status: its media type and value; ``None`` if there is none."""
        response = self.responses.find(status)
        return response.example if response else None


def content_type(headers: Headers) -> str:
    """The first Content-Type, ``""`` if there is none."""
    for name, value in headers:
        if len(name) == 12 and name.lower() == b"content-type":
            return value.decode("latin-1").strip()
    return ""


def _read_parameters(
    plan: ParameterPlan, reading: Reading, path_values: Mapping[str, str], query: bytes, headers: Headers
) -> tuple[Violation, ...]:
    found: list[Violation] = []
    values: dict[str, dict[str, Json]] = {}
    if plan.path:
        fields: Fields = {name: [value] for name, value in path_values.items()}
        values["path"] = reading.path = _take(plan.path, fields, "path", found)
    if plan.query:
        values["query"] = reading.query = _take(plan.query, read_pairs(query), "query", found)
    if plan.header or plan.cookie:
        lines = read_headers(headers, plan.lines)
        if plan.header:
            values["header"] = reading.header = _take(plan.header, lines, "header", found)
        if plan.cookie:
            cookies = read_cookies("; ".join(lines.get("cookie", ())))
            values["cookie"] = reading.cookie = _take(plan.cookie, cookies, "cookie", found)
    if not plan.schema.is_valid(values) or found:
        found = _complaints(plan, values, found)
    for where, name, default in plan.defaults:
        if name not in values[where]:
            values[where][name] = default if default.__class__ not in {list, dict} else deepcopy(default)
    return tuple(found[:MOST])


def _take(takes: tuple[tuple[str, Take], ...], fields: Fields, where: Where, found: list[Violation]) -> dict[str, Json]:
    values: dict[str, Json] = {}
    if not fields:
        return values  # what is not there is absent, in every style
    for name, take in takes:
        value = take(fields)
        if value is ABSENT:
            continue
        if value.__class__ is Flaw:
            found.append(Violation(where, token(name), value.keyword, value.message, actual=value.actual))
        elif value.__class__ is str and not value.isascii() and not _is_text(value):
            found.append(Violation(where, token(name), "encoding", f"{name} is not UTF-8", actual=quoted(value)))
        else:
            values[name] = value
    return values


def _complaints(plan: ParameterPlan, values: dict[str, dict[str, Json]], found: list[Violation]) -> list[Violation]:
    """The schema's complaints, in terms of locations; not about parameters that could not be read at all."""
    unread = {(item.where, item.pointer) for item in found}
    for item in plan.schema.check(values, "query"):
        where, _, rest = item.pointer.removeprefix("/").partition("/")
        place: Any = where
        if item.keyword == "required" and not rest:
            continue
        if item.keyword == "json":
            found.append(Violation("query", "", "encoding", "a parameter is not UTF-8"))
        elif (place, "/" + rest) not in unread:
            found.append(Violation(place, "/" + rest, item.keyword, item.message, item.expected, item.actual))
    return found


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_body(plan: Body, reading: Reading, headers: Headers, body: bytes) -> tuple[Violation, ...]:
    if not body:
        missing = Violation("body", "", "required", "a body is required", expected=list(plan.content.media))
        return (missing,) if plan.required else ()
    declared = content_type(headers)
    medium = plan.content.choose(declared) if declared else plan.content.first_json()
    if medium is None:
        sent = clipped(declared, 80) or "a body without a Content-Type"
        return (
            Violation("body", "", "media-type", f"{sent} is not accepted", list(plan.content.media), clipped(declared)),
        )
    reading.media = medium.name
    try:
        reading.body = medium.decode(body, declared)
    except Unreadable as error:
        return (Violation("body", "", error.keyword, str(error)),)
    return medium.check(reading.body, "body")


def _is_text_of_any_kind(declared: Declared, resolved: Callable[[Json], dict[str, Json]]) -> bool:
    """Whether a parameter takes every text as it stands."""
    schema = declared.node.get("schema")
    if not isinstance(schema, dict) or "style" in declared.node or "explode" in declared.node:
        return False
    words = {word for word in resolved(schema) if not word.startswith("x-")} | (set(schema) - {"$ref"})
    return words - _SAYS_NOTHING == {"type"} and resolved(schema)["type"] == "string"
