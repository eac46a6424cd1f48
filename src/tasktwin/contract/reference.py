"""The document and single operations, judged by openapi-core.

It takes half a second to import and milliseconds to check one request, so it is imported only where it is used: by
``verify``, for operations that the compiled plan cannot cover, and in tests.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from tasktwin import wire
from tasktwin.contract.media import form_of
from tasktwin.contract.parameter import read_cookies, read_headers, read_pairs
from tasktwin.contract.pattern import fits
from tasktwin.contract.source import NAMES, NOT_SCANNED
from tasktwin.contract.violation import MOST, Violation, Where, clipped, pointer, quoted, token
from tasktwin.errors import Problem
from tasktwin.wire import Json

if TYPE_CHECKING:
    from openapi_core import OpenAPI
    from openapi_core.datatypes import RequestParameters

_RAISED: Final = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, RecursionError)
"""What openapi-core lets escape on some inputs, for example on ``Content-Type: application/json;``."""

_PATTERNS: Final = frozenset({"pattern", "patternProperties"})

_KEYWORDS: Final = {
    "MissingRequiredParameter": "required",
    "MissingRequiredRequestBody": "required",
    "MissingRequiredHeader": "required",
    "MissingData": "required",
    "MediaTypeNotFound": "media-type",
    "MediaTypeDeserializeError": "json",
    "EmptyQueryParameterValue": "allowEmptyValue",
    "ResponseNotFound": "status",
    "CastError": "type",
}


class Endpoint(Protocol):
    """What the reference needs to know of an operation."""

    @property
    def method(self) -> str:
        """Upper case."""

    @property
    def path(self) -> str:
        """The template as in the document."""


def verify(document: Json) -> tuple[Problem, ...]:
    """Everything that openapi-spec-validator has against a document, at most 50 problems.

    Takes about a second. It does not look at what only ``compile_contract`` refuses.
    """
    from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator  # noqa: PLC0415 - half a second

    is_30 = isinstance(document, dict) and str(document.get("openapi", "")).startswith("3.0")
    validator = OpenAPIV30SpecValidator if is_30 else OpenAPIV31SpecValidator
    try:
        found = [_problem(error) for error in islice(validator(_patternless(document)).iter_errors(), MOST)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the document is what caused it
        return (Problem(f"openapi-spec-validator cannot read the document: {clipped(repr(error))}"),)
    return (*found, *_misfits(document, ""))[:MOST]


def _patternless(value: Json, *, names: bool = False) -> Json:
    """A document without the patterns of its schemas: openapi-spec-validator tries them on defaults, and may never end."""
    if isinstance(value, list):
        return [_patternless(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: each for key, each in value.items() if names or key not in _PATTERNS or isinstance(each, list)}
    if not names and isinstance(value.get("patternProperties"), dict):
        kept.pop("additionalProperties", None)
    return {
        key: each if not names and key in NOT_SCANNED else _patternless(each, names=not names and key in NAMES)
        for key, each in kept.items()
    }


def _misfits(value: Json, at: str) -> Iterator[Problem]:
    """Defaults that do not fit the pattern beside them."""
    for step, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _misfits(each, at + token(step))
    if isinstance(value, dict):
        pattern, text = value.get("pattern"), value.get("default")
        if isinstance(pattern, str) and isinstance(text, str) and not fits(pattern, text):
            yield Problem(f"{clipped(text)!r} does not match {clipped(pattern)!r}", at + "/default")


def _problem(error: Any) -> Problem:
    return Problem(clipped(str(error.message)), pointer(error.absolute_path))


@dataclass(slots=True)
class ReferenceRequest:
    """A request as openapi-core wants it."""

    host_url: str
    path: str
    method: str
    parameters: "RequestParameters"
    body: bytes
    content_type: str


@dataclass(slots=True)
class ReferenceResponse:
    """A response as openapi-core wants it."""

    data: bytes
    status_code: int
    headers: Any
    content_type: str


class Reference:
    """One document under openapi-core. Security and servers are left out: they are checked elsewhere.

    ``prefix`` is the path of the server, without a slash at its end.
    """

    def __init__(self, document: Json, prefix: str) -> None:
        self.document = document
        self._prefix = prefix

    @cached_property
    def _api(self) -> "OpenAPI":
        from jsonschema_path import SchemaPath  # noqa: PLC0415 - comes with openapi-core
        from openapi_core import Config, OpenAPI  # noqa: PLC0415 - half a second

        config = Config(spec_validator_cls=None, extra_media_type_deserializers=_deserializers(self.document))
        return OpenAPI(
            SchemaPath.from_dict(_bare(self.document, self._prefix), resolved_cache_maxsize=4096), config=config
        )

    def request(
        self,
        operation: Endpoint,
        path_values: Mapping[str, str],
        query: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> tuple[Violation, ...]:
        """What openapi-core finds in a request."""
        path = self._prefix + operation.path
        return self.raw_request(operation.method, path, path_values, query, headers, body)

    def raw_request(
        self,
        method: str,
        path: str,
        path_values: Mapping[str, str],
        query: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> tuple[Violation, ...]:
        """The same for a path; without ``path_values`` openapi-core finds them itself."""
        return self._findings(
            lambda: self._api.iter_request_errors(_request(method, path, path_values, query, headers, body)), "body"
        )

    def response(
        self, operation: Endpoint, status: int, media: str, body: Json, headers: Mapping[str, str] | None
    ) -> tuple[Violation, ...]:
        """What openapi-core finds in a response."""
        from werkzeug.datastructures import Headers  # noqa: PLC0415 - comes with openapi-core

        request = _request(operation.method, self._prefix + operation.path, {}, b"", (), b"")
        response = ReferenceResponse(_encoded(media, body), status, Headers(dict(headers or {})), media)
        return self._findings(lambda: self._api.iter_response_errors(request, response), "response")

    def _findings(self, errors: Callable[[], Iterable[Exception]], where: Where) -> tuple[Violation, ...]:
        found: list[Violation] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated parameters are no finding
            try:
                for error in islice(errors(), MOST):
                    found += _violations(error, where)
            except _RAISED as error:
                found.append(Violation(where, "", "reference", f"openapi-core gave up: {clipped(repr(error))}"))
        return tuple(found[:MOST])


def _request(
    method: str,
    path: str,
    path_values: Mapping[str, str],
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
) -> ReferenceRequest:
    from openapi_core.datatypes import RequestParameters  # noqa: PLC0415 - half a second
    from werkzeug.datastructures import Headers, ImmutableMultiDict  # noqa: PLC0415 - comes with openapi-core

    lines = read_headers(headers)
    cookies = read_cookies("; ".join(lines.get("cookie", ())))
    parameters = RequestParameters(
        query=ImmutableMultiDict(_pairs(read_pairs(query))),
        header=Headers({name: ", ".join(values) for name, values in lines.items()}),
        cookie=ImmutableMultiDict(_pairs(cookies)),
        path=dict(path_values),
    )
    content_type = lines.get("content-type", [""])[0]
    return ReferenceRequest("http://localhost", path, method.lower(), parameters, body, content_type)


def _pairs(fields: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in fields.items() for value in values]


def _encoded(media: str, body: Json) -> bytes:
    if isinstance(body, bytes):
        return body
    form = form_of(media.partition(";")[0].strip().lower())
    if isinstance(body, str) and form != "json":
        return body.encode("utf-8", "replace")
    return wire.dumps(body) if media else b""


def _violations(error: Any, default: Where) -> Iterator[Violation]:
    cause = error.__cause__
    where, prefix = _place(error, default)
    details = list(getattr(cause, "schema_errors", ()))
    for detail in details:
        place = prefix + pointer(detail.absolute_path)
        actual, expected = quoted(detail.instance), quoted(detail.validator_value)
        yield Violation(where, place, str(detail.validator), clipped(detail.message), expected, actual)
    if not details:
        names = [type(item).__name__ for item in (error, cause) if item is not None]
        keyword = next((_KEYWORDS[name] for name in names if name in _KEYWORDS), "reference")
        yield Violation(where, prefix, keyword, _said(cause or error))


def _said(error: Exception) -> str:
    """Its message. Some of openapi-core's quote the body, and fail themselves if it is not UTF-8."""
    try:
        return clipped(str(error))
    except ValueError:
        return type(error).__name__


def _place(error: Any, default: Where) -> tuple[Where, str]:
    name, location = getattr(error, "name", None), getattr(error, "location", None)
    if name is None:
        return default, ""
    return location or "response-header", token(str(name))


def _bare(document: Json, prefix: str) -> Json:
    """The document with one relative server and nothing about security."""
    paths = {path: _bare_item(item) for path, item in document.get("paths", {}).items()}
    rest = {key: value for key, value in document.items() if key != "security"}
    return {**rest, "paths": paths, "servers": [{"url": prefix or "/"}]}


def _bare_item(item: Json) -> Json:
    if not isinstance(item, dict):
        return item
    skipped = {"security", "servers"}
    return {
        key: {name: part for name, part in value.items() if name not in skipped} if isinstance(value, dict) else value
        for key, value in item.items()
        if key != "servers"
    }


def _deserializers(document: Json) -> dict[str, Callable[..., Any]]:
    """How to read the media types that openapi-core does not know: every kind of JSON and of text in the document."""
    found: dict[str, Callable[..., Any]] = {}
    stack: list[Json] = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            content = node.get("content")
            for name in content if isinstance(content, dict) else ():
                media = name.partition(";")[0].strip().lower()
                if form_of(media) == "json":
                    found[media] = _read_json
                elif form_of(media) == "text":
                    found[media] = _read_text
        if isinstance(node, (dict, list)):
            stack += node.values() if isinstance(node, dict) else node
    return found


def _read_json(raw: bytes | str, **_parameters: str) -> Json:
    return wire.loads(raw.encode() if isinstance(raw, str) else raw)


def _read_text(raw: bytes, **_parameters: str) -> str:
    return raw.decode()
