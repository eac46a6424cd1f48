"""Django REST framework with drf-exceptions-hog, which tells only the first error.

The query is read before the body, each as a serializer whose fields are those of the document in their order
(``serializer`` says how). A fault is ``{"code", "detail", "attr"}``. An operation with ``x-partial: true`` validates
only what is sent, as the framework's own PATCH does. JSON and both kinds of forms are read wherever the operation
declares JSON, as the framework's default parsers do; else only those that it declares.

Sources: the framework 3.15, ``exceptions_hog/handler.py`` 0.4.
"""

from functools import lru_cache
from typing import Final

from tasktwin.behaviour.asked import Asked, Finding
from tasktwin.contract import Operation
from tasktwin.dialect.field import Field, Told, Wrong
from tasktwin.dialect.form import MOST_FIELDS, Form, charset, parse_form, parse_json, parse_multipart
from tasktwin.dialect.nested import NON_FIELD, Serializer
from tasktwin.dialect.serializer import Compiler
from tasktwin.wire import Json

JSON, FORM, MULTIPART = PARSERS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
"""The media types of the framework's default parsers, in its order."""

_WHOLE: Final = (NON_FIELD, "__all__", "")


class _Plan:
    """The serializers of one operation; ``body`` is ``None`` if it takes none."""

    def __init__(self, operation: Operation) -> None:
        compiler = Compiler(operation.resolved, partial=operation.extensions.get("x-partial") is True)
        query = (each for each in operation.declared if each.where == "query")
        self.query = Serializer(
            fields=tuple(compiler.field(each.name, _schema(each.node), required=each.required) for each in query)
        )
        schema = _body_schema(operation)
        self.body = Field("", compiler.field("", schema).kind) if schema is not None else None
        declared = operation.body_schema is not None
        self.parsers = tuple(each for each in PARSERS if declared or each in operation.request_media)


@lru_cache(maxsize=1024)
def _plan(operation: Operation) -> _Plan:
    return _Plan(operation)


def _schema(node: dict[str, Json]) -> Json:
    return node.get("schema") or ({} if "content" in node else {"type": "string"})


def _body_schema(operation: Operation) -> Json:
    """The schema of the JSON body, else of the first body that has one."""
    if operation.body is None or operation.body_schema is not None:
        return operation.body_schema
    schemas = (each.schema.resolved for each in operation.body.content.media.values() if each.schema)
    return next(schemas, {})


class _Unparsed(Exception):  # noqa: N818 - never leaves this module
    """A body that no parser takes; ``kind`` as in ``Finding``."""

    def __init__(self, kind: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.fault = {"code": code, "detail": detail, "attr": None}


def read(asked: Asked) -> Finding:
    """Read a request as the framework would, up to the first fault."""
    plan, path = _plan(asked.operation), dict(asked.path)
    query: dict[str, Json] = {}
    try:
        query = plan.query.read(parse_form(asked.query))
        body = plan.body.run(_parse(asked, plan.parsers)) if plan.body else None
    except Wrong as error:
        return Finding(path, query, None, (_fault(error.errors),))
    except _Unparsed as error:
        return Finding(path, query, None, (error.fault,), error.kind)
    return Finding(path, query, body)


def _parse(asked: Asked, parsers: tuple[str, ...]) -> Json:
    """The body as ``request.data``; an empty one is an empty object whatever it says it is."""
    media = asked.content_type.partition(";")[0].strip().lower()
    if not asked.body:
        return Form() if media in {FORM, MULTIPART} else {}
    parser = next((each for each in parsers if _matches(each, media)), None)
    if parser is None:
        detail = f'Unsupported media type "{asked.content_type}" in request.'
        raise _Unparsed("unsupported_media_type", "unsupported_media_type", _encodable(detail))
    try:
        data = _decoded(asked, parser)
    except ValueError as error:
        words = {JSON: "JSON", FORM: "Form", MULTIPART: "Multipart form"}[parser]
        raise _Unparsed("malformed", "parse_error", _encodable(f"{words} parse error - {error}")) from None
    if data is None:
        raise Wrong({NON_FIELD: [Told("No data provided", "null")]})
    return data


def _matches(parser: str, media: str) -> bool:
    """Whether a parser takes a media type, which may even be a range."""
    pairs = zip(parser.split("/"), media.partition("/")[::2], strict=True)
    return all(given in {"*", own} for own, given in pairs)


def _decoded(asked: Asked, parser: str) -> Json:
    if parser == MULTIPART:
        return parse_multipart(asked.body, asked.content_type)
    encoding = charset(asked.content_type)
    if parser == FORM:
        return parse_form(asked.body, encoding, MOST_FIELDS)
    return parse_json(asked.body.decode(encoding))


def _fault(errors: Json) -> Json:
    """The first error, as drf-exceptions-hog tells it."""
    keys: list[Json] = []
    while isinstance(errors, dict):
        key = next(iter(errors))
        keys.append(key)
        errors = errors[key]
    first = errors[0]
    code, detail = str(_codes(first)), first.text if isinstance(first, Told) else str(first)
    attr = "__".join(map(str, keys))
    return {
        "code": "invalid_input" if code == "invalid" else _encodable(code),
        "detail": _encodable(detail),
        "attr": None if attr in _WHOLE else _encodable(attr),
    }


def _codes(errors: Json) -> Json:
    """The codes of nested errors: the handler shows those inside a list as Python writes them."""
    if isinstance(errors, Told):
        return errors.code
    if isinstance(errors, dict):
        return {key: _codes(each) for key, each in errors.items()}
    return [_codes(each) for each in errors]


def _encodable(text: str) -> str:
    """A text that can be sent: the framework itself breaks on a lone surrogate."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
