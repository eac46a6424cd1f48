"""Bodies: the media type, the decoding, the check."""

from typing import Any

import pytest
from tests.contract.documents import JSON_LINE, operation, taking

from tasktwin.contract import Operation


def media(value: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"Content-Type", value.encode()),)


def keywords(target: Operation, headers: Any, body: bytes) -> list[str]:
    return [item.keyword for item in target.read({}, b"", headers, body).violations]


def several() -> Operation:
    return operation(
        requestBody={
            "content": {
                "text/*": {"schema": {"type": "string", "maxLength": 3}},
                "application/json": {"schema": {"type": "object"}},
                "application/*": {"schema": {"type": "array"}},
                "image/png": {"schema": {"type": "string", "format": "binary", "maxLength": 3}},
            }
        }
    )


@pytest.mark.parametrize(
    ("content_type", "body", "value"),
    [
        ("application/json", b'{"a":1}', {"a": 1}),
        ("application/json;", b"{}", {}),
        ("Application/JSON; charset=utf-8", b"{}", {}),
        ("application/vnd.x+json", b"[1]", [1]),
        ("text/plain", b"abc", "abc"),
        ("text/plain; charset=latin-1", b"\xe9", "é"),
        ("image/png", b"\x89PN", b"\x89PN"),
    ],
)
def test_the_closest_media_type_decodes_the_body(content_type: str, body: bytes, value: Any) -> None:
    reading = several().read({}, b"", media(content_type), body)
    assert (reading.body, reading.violations) == (value, ())


@pytest.mark.parametrize("content_type", ["audio/ogg", "nonsense", "/", "application/", "*/*;q=1", ""])
def test_an_unsupported_media_type_names_those_that_are(content_type: str) -> None:
    body: dict[str, Any] = {"content": {"application/x-known": {}}}
    found = operation(requestBody=body).read({}, b"", media(content_type), b"x").violations
    assert [(item.keyword, item.expected) for item in found] == [("media-type", ["application/x-known"])]


@pytest.mark.parametrize(
    ("content_type", "body", "keyword"),
    [
        ("application/json", b"[", "json"),
        ("application/json", b"\xff", "json"),
        ("application/json", b"NaN", "json"),
        ("application/json", b"[" * 10_000, "json"),
        ("application/json", b'"\\ud800"', "json"),
        ("application/json", b"[1]", "type"),
        ("text/plain", b"\xff", "encoding"),
        ("text/plain", b"abcd", "maxLength"),
        ("image/png", b"abcd", "maxLength"),
    ],
)
def test_an_unreadable_body_is_told_from_a_wrong_one(content_type: str, body: bytes, keyword: str) -> None:
    assert keywords(several(), media(content_type), body) == [keyword]


def test_a_missing_body_is_required_only_where_declared() -> None:
    assert keywords(several(), (), b"") == []
    assert keywords(taking({}), (), b"") == ["required"]


def test_a_body_without_content_type_is_taken_for_json() -> None:
    assert several().read({}, b"", (), b'{"a":1}').body == {"a": 1}


FIELDS = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "integer"}}, "meta": {"type": "object"}, "file": {"type": "string", "format": "binary"}},
}  # fmt: skip
FORM = "application/x-www-form-urlencoded"


def test_form_fields_get_their_types() -> None:
    raw = b"name=a+b&age=7&tags=1&tags=2&meta=%7B%22k%22%3A1%7D&other=x&other=y"
    reading = taking(FIELDS, FORM).read({}, b"", media(FORM), raw)
    assert reading.body == {"name": "a b", "age": 7, "tags": [1, 2], "meta": {"k": 1}, "other": ["x", "y"]}
    assert reading.violations == ()


@pytest.mark.parametrize(
    ("raw", "keyword"),
    [(b"age=7", "required"), (b"name=a&age=x", "type"), (b"name=%FF", "encoding"), (b"a&" * 2000, "encoding")],
)
def test_a_wrong_form_is_a_violation(raw: bytes, keyword: str) -> None:
    assert keywords(taking(FIELDS, FORM), media(FORM), raw) == [keyword]


def multipart(*parts: tuple[str, bytes]) -> bytes:
    return (
        b"".join(
            b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
            for head, data in parts
        )
        + b"--b--\r\n"
    )


def test_multipart_fields_are_texts_and_files_are_bytes() -> None:
    raw = multipart(
        ('name="name"', "é".encode()),
        ('name="age"', b"7"),
        ('name="tags"', b"1"),
        ('name="file"; filename="f"', b"\x00\xff"),
    )
    reading = taking(FIELDS, "multipart/form-data").read({}, b"", media("multipart/form-data; boundary=b"), raw)
    assert (reading.body, reading.violations) == ({"name": "é", "age": 7, "tags": [1], "file": b"\x00\xff"}, ())


@pytest.mark.parametrize(
    ("content_type", "raw"),
    [
        ("multipart/form-data", multipart(('name="name"', b"x"))),
        ("multipart/form-data; boundary=b", b"nothing"),
        ("multipart/form-data; boundary=b", multipart(('name="name"', b"x"))[:-9]),
        ("multipart/form-data; boundary=b", multipart(("x=y", b"x"))),
        ("multipart/form-data; boundary=b", multipart(*[('name="name"', b"x")] * 1001)),
        ("multipart/form-data; boundary=" + "b" * 500, b"x"),
    ],
    ids=["no boundary", "no part", "cut", "no name", "too many", "boundary too long"],
)
def test_a_broken_multipart_body_is_a_violation(content_type: str, raw: bytes) -> None:
    assert keywords(taking(FIELDS, "multipart/form-data"), media(content_type), raw) == ["encoding"]


def test_an_xml_body_is_left_to_openapi_core() -> None:
    target = taking({"type": "object"}, "application/xml")
    assert "application/xml" in target.uncovered
    assert keywords(target, media("application/xml"), b"<a") == ["json"]
    assert keywords(target, (JSON_LINE,), b"{}") == ["media-type"]
