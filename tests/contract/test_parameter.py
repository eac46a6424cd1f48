"""Parameters from the wire to typed values."""

from typing import Any

import pytest
from tests.contract.documents import asking, contract

INTEGERS = {"type": "array", "items": {"type": "integer"}}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
    "additionalProperties": False,
}


def query(raw: bytes, schema: Any, **parts: Any) -> tuple[Any, list[str]]:
    """The value of the parameter p and the broken keywords."""
    reading = asking("p", schema, **parts).read({}, raw, (), b"")
    return reading.query.get("p"), [item.keyword for item in reading.violations]


@pytest.mark.parametrize(
    ("raw", "schema", "value"),
    [
        (b"p=7", {"type": "integer"}, 7),
        (b"p=-007", {"type": "integer"}, -7),
        (b"p=1.5e1", {"type": "number"}, 15.0),
        (b"p=7", {"type": "number"}, 7),
        (b"p=false", {"type": "boolean"}, False),
        (b"p=7", {"type": "string"}, "7"),
        (b"p=7", {}, "7"),
        (b"p=a+b%20c%C3%A9", {"type": "string"}, "a b cé"),
        (b"p=7", {"type": ["integer", "null"]}, 7),
        (b"p=7", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 7),
        (b"p=abc", {"oneOf": [{"type": "integer"}, {"type": "string"}]}, "abc"),
        (b"p=12", {"anyOf": [{"type": "integer", "maximum": 9}, {"type": "string"}]}, "12"),
        (b"p=7", {"allOf": [{"type": "integer"}, {"maximum": 9}]}, 7),
        (b"p=2", {"enum": [1, 2]}, 2),
        (b"p=1&p=2", {"type": "integer"}, 2),
        (b"p=1&p=2", INTEGERS, [1, 2]),
        (b"p=1,2", {"anyOf": [INTEGERS, {"type": "string"}]}, "1,2"),
    ],
)
def test_a_query_value_gets_its_type(raw: bytes, schema: Any, value: Any) -> None:
    assert query(raw, schema) == (value, [])


@pytest.mark.parametrize("text", ["1_0", " 7 ", "\u0667", "+7", "0x1", "7.0", "", "9" * 5000])
def test_a_text_that_is_no_integer_stays_a_text(text: str) -> None:
    reading = asking("p", {"type": "integer"}, "path").read({"p": text}, b"", (), b"")
    assert (reading.path["p"], [item.keyword for item in reading.violations]) == (text, ["type"])


@pytest.mark.parametrize("text", ["yes", "1", "TRUE", "on"])
def test_only_true_and_false_are_booleans(text: str) -> None:
    assert query(f"p={text}".encode(), {"type": "boolean"}) == (text, ["type"])


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1.", ".5", "1_0.0"])
def test_a_number_is_a_json_number(text: str) -> None:
    assert query(f"p={text}".encode(), {"type": "number"}) == (text, ["type"])


@pytest.mark.parametrize(
    ("raw", "parts", "schema", "value"),
    [
        (b"p=1,2", {"explode": False}, INTEGERS, [1, 2]),
        (b"p=1|2", {"style": "pipeDelimited"}, INTEGERS, [1, 2]),
        (b"p=1%202", {"style": "spaceDelimited"}, INTEGERS, [1, 2]),
        (b"p=x,1,y,2", {"explode": False}, POINT, {"x": 1, "y": 2}),
        (b"x=1&y=2&z=3", {}, POINT, {"x": 1, "y": 2}),
        (b"p[x]=1&p%5By%5D=2", {"style": "deepObject", "explode": True}, POINT, {"x": 1, "y": 2}),
    ],
)
def test_lists_and_objects_in_the_query(raw: bytes, parts: Any, schema: Any, value: Any) -> None:
    assert query(raw, schema, **parts) == (value, [])


@pytest.mark.parametrize(
    ("text", "style", "explode", "schema", "value"),
    [
        ("1,2", "simple", False, INTEGERS, [1, 2]),
        ("x,1,y,2", "simple", False, POINT, {"x": 1, "y": 2}),
        ("x=1,y=2", "simple", True, POINT, {"x": 1, "y": 2}),
        (".5", "label", False, {"type": "integer"}, 5),
        (".1,2", "label", False, INTEGERS, [1, 2]),
        (".1.2", "label", True, INTEGERS, [1, 2]),
        (".x=1.y=2", "label", True, POINT, {"x": 1, "y": 2}),
        (";p=5", "matrix", False, {"type": "integer"}, 5),
        (";p=1,2", "matrix", False, INTEGERS, [1, 2]),
        (";p=1;p=2", "matrix", True, INTEGERS, [1, 2]),
        (";x=1;y=2", "matrix", True, POINT, {"x": 1, "y": 2}),
    ],
)
def test_styles_in_the_path(text: str, style: str, explode: bool, schema: Any, value: Any) -> None:  # noqa: FBT001
    reading = asking("p", schema, "path", style=style, explode=explode).read({"p": text}, b"", (), b"")
    assert (reading.path["p"], reading.violations) == (value, ())


def test_headers_are_found_in_any_case_and_lists_are_split() -> None:
    reading = asking("X-Ids", INTEGERS, "header").read({}, b"", ((b"x-IDS", b"1, 2"), (b"X-Ids", b"3")), b"")
    assert (reading.header, reading.violations) == ({"x-ids": [1, 2, 3]}, ())


def test_a_header_sent_twice_is_one_joined_value() -> None:
    reading = asking("X-Id", {"type": "integer"}, "header").read({}, b"", ((b"X-Id", b"1"), (b"X-Id", b"2")), b"")
    assert [(item.pointer, item.actual) for item in reading.violations] == [("/x-id", "1, 2")]


def test_the_authorization_header_is_no_parameter() -> None:
    assert asking("Authorization", {"type": "integer"}, "header", required=True).read({}, b"", (), b"").violations == ()


def test_cookies_are_read() -> None:
    reading = asking("s", {"type": "integer"}, "cookie").read({}, b"", ((b"Cookie", b'a=1; s="5"'),), b"")
    assert reading.cookie == {"s": 5}


def test_a_json_parameter_is_parsed_and_checked() -> None:
    content = {"application/json": {"schema": {"type": "object", "required": ["a"]}}}
    parameter = {"name": "p", "in": "query", "content": content}
    operation = contract({"/": {"get": {"operationId": "it", "parameters": [parameter]}}}).operations["it"]
    assert operation.read({}, b"p=%7B%22a%22:1%7D", (), b"").query == {"p": {"a": 1}}
    assert [(item.pointer, item.keyword) for item in operation.read({}, b"p={}", (), b"").violations] == [
        ("/p/a", "required")
    ]
    assert [(item.pointer, item.keyword) for item in operation.read({}, b"p={", (), b"").violations] == [("/p", "json")]


def test_defaults_fill_in_and_are_not_shared() -> None:
    operation = asking("p", {"type": "array", "items": {}, "default": ["a"]})
    operation.read({}, b"", (), b"").query["p"].append("b")
    assert operation.read({}, b"", (), b"").query == {"p": ["a"]}


@pytest.mark.parametrize(("allowed", "keywords"), [(True, []), (False, ["allowEmptyValue"])])
def test_an_empty_value_must_be_allowed(allowed: bool, keywords: list[str]) -> None:  # noqa: FBT001
    assert query(b"p=", {"type": "string", "minLength": 1}, allowEmptyValue=allowed)[1] == keywords


def test_a_missing_parameter_and_an_unknown_one() -> None:
    reading = asking("p", {"type": "integer"}, required=True).read({}, b"other=1", (), b"")
    assert [(item.where, item.pointer, item.keyword) for item in reading.violations] == [("query", "/p", "required")]


def test_bad_utf8_in_the_query_is_a_violation() -> None:
    assert query(b"p=%FF", {"type": "string"}) == (None, ["encoding"])
