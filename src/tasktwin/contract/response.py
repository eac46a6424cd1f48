"""Responses: which one a status means, what may be in it, and its documented example."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasktwin.contract.event import EVENT_STREAM
from tasktwin.contract.media import Content, content
from tasktwin.contract.schema import Schema, Schemas
from tasktwin.contract.style import ABSENT, Reader, Style, Take
from tasktwin.contract.violation import MOST, Violation, clipped, token
from tasktwin.wire import Json


@dataclass(frozen=True, slots=True)
class Header:
    """A declared response header. ``name`` is lower case."""

    name: str
    required: bool
    schema: Schema | None
    take: Take


@dataclass(frozen=True, slots=True)
class Response:
    """What an operation answers with a status. ``content`` is ``None`` if it has no body.

    ``example`` and the ``examples`` by name are each a media type and a value.
    """

    content: Content | None
    headers: tuple[Header, ...]
    example: tuple[str, Json] | None
    examples: dict[str, tuple[str, Json]]


class Responses:
    """The responses of an operation by status. An exact status comes before its range, that before the default."""

    def __init__(self, by_key: dict[str, Response]) -> None:
        self.by_key = by_key
        self._exact = {int(key): response for key, response in by_key.items() if key.isdigit()}

    def find(self, status: int) -> Response | None:
        """The response for a status, ``None`` if none is declared."""
        found = self._exact.get(status)
        return found or self.by_key.get(f"{status // 100}XX") or self.by_key.get("default")

    def success(self) -> int:
        """The first declared 2xx status, 200 if there is none."""
        return next((status for status in self._exact if 200 <= status < 300), 200)

    def check(self, status: int, media: str, body: Json, headers: Mapping[str, str] | None) -> tuple[Violation, ...]:
        """As ``Operation.check_response``."""
        response = self.find(status)
        if response is None:
            message = f"the status {status} is not declared"
            return (Violation("response", "", "status", message, list(self.by_key), status),)
        found = _check_body(response.content, media, body)
        if response.headers and headers is not None:
            found += _check_headers(response.headers, headers)
        return found[:MOST]

    def check_event(self, status: int, value: Json) -> tuple[Violation, ...]:
        """As ``Operation.check_event``."""
        response = self.find(status)
        medium = response.content.choose(EVENT_STREAM) if response and response.content else None
        if medium is None:
            return (Violation("response", "", "media-type", f"{status} is not declared as a stream of events"),)
        return medium.event.check(value, "response") if medium.event else ()


def responses(schemas: Schemas, node: dict[str, Json], pointer: str) -> Responses:
    """Compile a ``responses`` map, which stands at ``pointer``."""
    by_key: dict[str, Response] = {}
    for key, value in node.items():
        if key.startswith("x-"):
            continue
        here = pointer + token(key)
        name = key if key == "default" else key.upper()
        if not (name == "default" or (len(name) == 3 and name[0] in "12345" and (name.isdigit() or name[1:] == "XX"))):
            schemas.source.refuse(f"{key!r} is not a status, a range such as 4XX, or default", here)
            continue
        by_key[name] = _response(schemas, *schemas.source.follow(value, here))
    return Responses(by_key)


def _response(schemas: Schemas, node: dict[str, Json], pointer: str) -> Response:
    source = schemas.source
    media = source.mapping(node.get("content"), f"{pointer}/content")
    declared = content(schemas, media, f"{pointer}/content", "response") if media else None
    headers = source.mapping(node.get("headers"), f"{pointer}/headers")
    plans = [
        _header(schemas, name, *source.follow(item, f"{pointer}/headers{token(name)}"))
        for name, item in headers.items()
    ]
    named = _examples(schemas, media, pointer)
    example = _example(schemas, media, pointer)
    return Response(declared, tuple(plan for plan in plans if plan.name != "content-type"), example, named)


def _header(schemas: Schemas, name: str, node: dict[str, Json], pointer: str) -> Header:
    at = f"{pointer}/schema"
    schema = schemas.at("response", at) if "schema" in node else None
    key = name.lower()
    return Header(
        key,
        node.get("required") is True,
        schema,
        Style("simple", node.get("explode") is True, key).take(Reader(schemas, at, schema)),
    )


def _check_body(declared: Content | None, media: str, body: Json) -> tuple[Violation, ...]:
    if declared is None:
        if media or body is not None:
            return (Violation("response", "", "media-type", "this response has no body", [], clipped(media)),)
        return ()
    if not media:
        return (Violation("response", "", "required", "a body is required", expected=list(declared.media)),)
    medium = declared.choose(media)
    if medium is None:
        message = f"{clipped(media, 80)} is not declared"
        return (Violation("response", "", "media-type", message, list(declared.media), clipped(media)),)
    return medium.check(body, "response")


def _check_headers(plans: tuple[Header, ...], headers: Mapping[str, str]) -> tuple[Violation, ...]:
    fields = {name.lower(): [value] for name, value in headers.items()}
    found: list[Violation] = []
    for plan in plans:
        value = plan.take(fields)
        if value is ABSENT:
            if plan.required:
                found.append(Violation("response-header", token(plan.name), "required", f"{plan.name} is required"))
        elif plan.schema is not None:
            found += plan.schema.check(value, "response-header", token(plan.name))
    return tuple(found)


def _example(schemas: Schemas, media: dict[str, Json], pointer: str) -> tuple[str, Json] | None:
    """JSON media types first, each: example, the first of examples, the schema's own."""
    ordered = sorted(media, key=lambda name: "json" not in name)
    for name in ordered:
        node = media[name] if isinstance(media[name], dict) else {}
        if "example" in node:
            return name, node["example"]
        examples = node.get("examples")
        for key, item in examples.items() if isinstance(examples, dict) else ():
            found, _ = schemas.source.follow(item, f"{pointer}/content{token(name)}/examples{token(key)}")
            if "value" in found:
                return name, found["value"]
        value = schema_example(schemas.source.resolved(node.get("schema")))
        if value is not ABSENT:
            return name, value
    return None


def _examples(schemas: Schemas, media: dict[str, Json], pointer: str) -> dict[str, tuple[str, Json]]:
    """The named examples that stand in the document; of one name in several media types that of JSON counts."""
    result: dict[str, tuple[str, Json]] = {}
    for name in sorted(media, key=lambda name: "json" not in name):
        named = media[name].get("examples") if isinstance(media[name], dict) else None
        for key, item in named.items() if isinstance(named, dict) else ():
            found, _ = schemas.source.follow(item, f"{pointer}/content{token(name)}/examples{token(key)}")
            if "value" in found:
                result.setdefault(key, (name, found["value"]))
    return result


def schema_example(schema: dict[str, Json]) -> Json:
    """What a schema itself gives as an example, ``ABSENT`` if nothing."""
    for word in ("example", "default"):
        if word in schema:
            return schema[word]
    examples = schema.get("examples")
    return examples[0] if isinstance(examples, list) and examples else ABSENT
