"""Whatever is sent, the answer is a violation and never an exception, and it comes soon."""

import copy
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.documents import JSON_LINE, contract, taking

from tasktwin.contract import Match, Operation, compile_contract
from tasktwin.errors import DataError

NODE = {
    "type": "object",
    "properties": {
        "next": {"$ref": "#/components/schemas/Node"},
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
    },
    "additionalProperties": False,
}


def everything() -> Operation:
    """An operation with a parameter in each place, of each kind, and three kinds of body."""
    fields = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "o": {"type": "object"}, "f": {"type": "string", "format": "binary"}},
    }
    node = {"$ref": "#/components/schemas/Node"}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "format": "int64"}},
        {"name": "ratio", "in": "query", "schema": {"type": "number"}},
        {"name": "ids", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}, "maxItems": 100}},
        {
            "name": "filter",
            "in": "query",
            "style": "deepObject",
            "schema": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        {"name": "where", "in": "query", "content": {"application/json": {"schema": node}}},
        {"name": "X-One", "in": "header", "schema": {"type": "string", "pattern": "^[a-z]*$"}},
        {"name": "session", "in": "cookie", "schema": {"type": "string"}},
    ]
    media = {
        "application/json": node,
        "application/x-www-form-urlencoded": fields,
        "multipart/form-data": fields,
        "text/plain": {"type": "string"},
    }
    body = {"content": {name: {"schema": schema} for name, schema in media.items()}}
    operation = {"operationId": "it", "parameters": parameters, "requestBody": body}
    return contract({"/x/{id}": {"post": operation}}, components={"schemas": {"Node": NODE}}).operations["it"]


TARGET = everything()


def keywords(query: bytes = b"", headers: Any = (JSON_LINE,), body: bytes = b"{}", identifier: str = "1") -> set[str]:
    started = time.perf_counter()
    found = TARGET.read({"id": identifier}, query, headers, body).violations
    assert time.perf_counter() - started < 2
    assert len(found) <= 50
    assert len(repr(found)) < 50_000
    return {item.keyword for item in found}


BODIES = {
    "deep lists": (b"[" * 100_000, {"json"}),
    "deep objects": (b'{"next":' * 10_000 + b"{}" + b"}" * 10_000, {"json"}),
    "as deep as allowed": (b'{"next":' * 199 + b"{}" + b"}" * 199, set()),
    "deep and wrong": (b'{"next":' * 199 + b"1" + b"}" * 199, {"type"}),
    "lone surrogate": (b'{"next":"\\ud800"}', {"json"}),
    "bad UTF-8": (b'{"\xff":1}', {"json"}),
    "huge number": (b'{"x":1e999}', {"json"}),
    "long integer": (b'{"x":' + b"9" * 100_000 + b"}", {"json"}),
    "NaN": (b'{"x":NaN}', {"json"}),
    "NUL in a name": (b'{"\\u0000":1}', {"additionalProperties"}),
    "duplicate names": (b'{"next":1,"next":{}}', set()),
    "many names": (b"{" + b",".join(b'"x%d":1' % n for n in range(100_000)) + b"}", {"additionalProperties"}),
    "byte order mark": (b"\xef\xbb\xbf{}", {"json"}),
    "nothing but blanks": (b"   ", {"json"}),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_hostile_json(body: bytes, expected: set[str]) -> None:
    assert keywords(body=body) == expected


QUERIES = {
    "bad percent-encoding": (b"limit=%zz", {"type"}),
    "half a percent-encoding": (b"limit=1%", {"type"}),
    "bad UTF-8": (b"limit=%FF", {"encoding"}),
    "bad UTF-8, not encoded": (b"limit=\xff", {"encoding"}),
    "bad UTF-8 in a name": (b"%FF=1", set()),
    "bad UTF-8 in a list": (b"ids=1&ids=%FF", {"encoding"}),
    "bad UTF-8 in an object": (b"filter[a]=%FF", {"encoding"}),
    "bad UTF-8 in a property": (b"filter[%FF]=1", {"encoding"}),
    "bad UTF-8 in JSON": (b'where={"%FF":1}', {"json"}),
    "NUL": (b"limit=%00", {"type"}),
    "huge integer": (b"limit=" + b"9" * 10_000, {"type"}),
    "large integer": (b"limit=" + b"9" * 300, {"format"}),
    "huge exponent": (b"ratio=1e999999", {"type"}),
    "10,000 parameters": (b"&".join(b"x%d=1" % n for n in range(10_000)), set()),
    "10,000 of one": (b"&".join([b"ids=1"] * 10_000), {"maxItems"}),
    "10,000 wrong ones": (b"&".join([b"ids=x"] * 10_000), {"maxItems", "type"}),
    "10,000 brackets": (b"filter" + b"[" * 10_000, set()),
    "nothing but marks": (b"&=&=?&&;" * 1000, set()),
    "deep JSON": (b"where=" + b"[" * 10_000, {"json"}),
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.values(), ids=QUERIES)
def test_hostile_queries(query: bytes, expected: set[str]) -> None:
    assert keywords(query) == expected


HEADERS: dict[str, tuple[Any, set[str]]] = {
    "10,000 lines": (tuple((b"x-%d" % n, b"1") for n in range(10_000)), set()),
    "one 10,000 times": (((b"x-one", b"a"),) * 10_000, {"pattern"}),
    "10,000 cookies": (((b"cookie", b"; ".join(b"c%d=1" % n for n in range(10_000))),), set()),
    "bytes": (((b"x-one", bytes(range(256))), (b"cookie", bytes(range(256))), (b"\xff", b"\xff")), {"pattern"}),
    "empty": (((b"", b""), (b"x-one", b""), (b"cookie", b"")), set()),
    "content types": (((b"content-type", b";;=;charset=;boundary="),), {"media-type"}),
    "strange charset": (((b"content-type", b"text/plain; charset=\xff\x00"),), set()),
    "a long content type": (((b"content-type", b"a" * 100_000),), {"media-type"}),
}


@pytest.mark.parametrize(("headers", "expected"), HEADERS.values(), ids=HEADERS)
def test_hostile_headers(headers: Any, expected: set[str]) -> None:
    assert keywords(headers=headers) == expected


@pytest.mark.parametrize(
    "path", ["/x/%FF", "/x/%00", "/x/" + "9" * 10_000, "/x/" + "%41" * 10_000, "/x/\udcff", "/x/a%2Fb"]
)
def test_hostile_paths(path: str) -> None:
    found = contract_match(path)
    assert TARGET.read(found.path_values, b"", (JSON_LINE,), b"{}").violations


def contract_match(path: str) -> Match[Operation]:
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    found = contract({"/x/{id}": {"get": {"parameters": [parameter]}}}).match("GET", path)
    assert isinstance(found, Match)
    return found


def test_many_content_types_do_not_fill_the_memory() -> None:
    target = taking({})
    for n in range(1000):
        target.read({}, b"", ((b"content-type", b"application/x-%d" % n),), b"1")
    assert target.body is not None
    assert len(target.body.content._chosen) <= 64  # noqa: SLF001 - nothing else shows it


@pytest.mark.parametrize(
    "body",
    [b"bytes", "\ud800", {"next": {1: 2}}, {"next": b""}, object(), float("nan"), {"next": {"next": "\ud800"}}],
    ids=["bytes", "surrogate", "integer key", "bytes inside", "no JSON at all", "NaN", "surrogate inside"],
)
def test_hostile_responses(body: Any) -> None:
    responses = {
        "200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    }
    target = contract(
        {"/": {"get": {"operationId": "it", "responses": responses}}}, components={"schemas": {"Node": NODE}}
    ).operations["it"]
    assert target.check_response(200, "application/json", body)


def is_json(body: bytes) -> bool:
    """Whether Python reads it as such."""
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


BYTES = st.binary(max_size=60)
TYPES = st.sampled_from(
    [
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=b",
        b"text/plain",
        b"\xff/\xff",
    ]
)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    st.text(max_size=20),
    BYTES.map(lambda raw: b"limit=" + raw) | BYTES,
    st.lists(st.tuples(BYTES.filter(lambda name: name.lower() != b"content-type"), BYTES), max_size=3),
    TYPES,
    BYTES,
)
def test_any_bytes_are_read_without_an_exception(
    identifier: str, query: bytes, lines: list[tuple[bytes, bytes]], media: bytes, body: bytes
) -> None:
    found = keywords(query, (*lines, (b"content-type", media)), body, identifier)
    assert found <= {
        "allowEmptyValue",
        "additionalProperties",
        "encoding",
        "format",
        "json",
        "media-type",
        "pattern",
        "type",
    }
    assert "type" in found or re.fullmatch(r"-?\d+(\.0*)?", identifier) or "encoding" in found
    assert "media-type" in found or media != b"\xff/\xff" or not body
    assert "json" in found or media != b"application/json" or not body or is_json(body)


ODD: list[Any] = [
    None,
    True,
    1,
    "x",
    "",
    [],
    {},
    [1],
    {"a": 1},
    {1: 2},
    [[]],
    [None],
    "{x}",
    "#/",
    {"$ref": "#/paths"},
    {"$ref": 1},
    {"$ref": "#x"},
    {"$ref": "#/components/schemas/Node"},
]


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(st.sampled_from([path for path in places(TARGET.reference.document) if len(path) > 1]), st.sampled_from(ODD))
def test_a_document_with_anything_anywhere_is_compiled_or_refused(path: tuple[Any, ...], odd: Any) -> None:
    broken = copy.deepcopy(TARGET.reference.document)
    node = broken
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = odd
    try:
        compiled = compile_contract(broken)
    except DataError as error:
        assert error.problems  # noqa: PT017 - either way is right
    else:
        assert all(operation.read({}, b"limit=x", (JSON_LINE,), b"{}") for operation in compiled.operations.values())
