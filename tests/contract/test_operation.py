"""Operations as a whole: responses, examples, what they declare."""

from typing import Any

import pytest
from tests.contract.documents import JSON_LINE, answering, operation, taking

from tasktwin.contract import Operation


def several() -> Operation:
    text = {"content": {"text/plain": {"schema": {"type": "string", "maxLength": 3}}}}
    task = {"content": {"application/json": {"schema": {"type": "object", "required": ["id"]}}}}
    counted = {
        "headers": {
            "X-Total": {"required": True, "schema": {"type": "integer"}},
            "X-Tags": {"schema": {"type": "array", "items": {"enum": ["a", "b"]}}},
        }
    }
    return operation(responses={"201": task, "204": {}, "2XX": counted, "4xx": text, "default": task})


@pytest.mark.parametrize(
    ("status", "media", "body", "found"),
    [
        (201, "application/json", {"id": 1}, []),
        (201, "application/json; charset=utf-8", {}, [("/id", "required")]),
        (201, "text/html", "x", [("", "media-type")]),
        (201, "", None, [("", "required")]),
        (204, "", None, []),
        (204, "application/json", {}, [("", "media-type")]),
        (404, "text/plain", "abc", []),
        (404, "text/plain", "abcd", [("", "maxLength")]),
        (500, "application/json", None, [("", "type")]),
    ],
)
def test_a_response_is_checked_by_its_status(status: int, media: str, body: Any, found: list[Any]) -> None:
    assert [(item.pointer, item.keyword) for item in several().check_response(status, media, body)] == found


def test_an_undeclared_status_is_a_violation() -> None:
    (found,) = answering({}).check_response(418, "", None)
    assert (found.where, found.keyword, found.expected, found.actual) == ("response", "status", ["200"], 418)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-total": "5", "X-TAGS": "a, b"}, []),
        ({"X-Total": "many"}, [("response-header", "/x-total", "type")]),
        ({"X-Tags": "a,c"}, [("response-header", "/x-total", "required"), ("response-header", "/x-tags/1", "enum")]),
        (None, []),
    ],
)
def test_response_headers_are_checked_if_given(headers: Any, found: list[Any]) -> None:
    broken = several().check_response(200, "", None, headers)
    assert sorted((item.where, item.pointer, item.keyword) for item in broken) == sorted(found)


@pytest.mark.parametrize(
    ("answers", "success"), [({"404": {}, "202": {}, "201": {}}, 202), ({"default": {}}, 200), ({"2XX": {}}, 200)]
)
def test_the_first_declared_success_is_known(answers: Any, success: int) -> None:
    assert operation(responses=answers).success == success


@pytest.mark.parametrize(
    ("media", "example"),
    [
        ({"example": {"a": 1}}, {"a": 1}),
        ({"examples": {"none": {"summary": ""}, "first": {"value": 2}}}, 2),
        ({"schema": {"example": 3}}, 3),
        ({"schema": {"$ref": "#/components/schemas/It"}}, 4),
        ({"schema": {"default": 5}}, 5),
    ],
    ids=["example", "examples", "schema", "reference", "default"],
)
def test_documented_examples_are_found(media: Any, example: Any) -> None:
    answers = {"200": {"content": {"text/plain": {"example": "last"}, "application/json": media}}}
    target = operation(responses=answers, schemas={"It": {"examples": [4]}})
    assert target.example(200) == ("application/json", example)


def test_without_an_example_there_is_none() -> None:
    assert answering({"type": "string"}).example(200) is None
    assert answering({}).example(404) is None


def test_an_operation_knows_what_it_takes() -> None:
    target = taking({}, "Application/JSON; charset=utf-8")
    assert (target.body_required, target.request_media, target.uncovered) == (True, ("application/json",), "")
    assert (operation().body_required, operation().request_media) == (False, ())


def test_everything_wrong_in_a_request_is_found_at_once() -> None:
    parameters = [
        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
        {"name": "X-Id", "in": "header", "required": True, "schema": {"type": "string"}},
    ]
    body = {"required": True, "content": {"application/json": {"schema": {"required": ["title"]}}}}
    reading = operation(parameters=parameters, requestBody=body).read({}, b"limit=x", (JSON_LINE,), b"{}")
    assert {str(item) for item in reading.violations} == {
        'query/limit: "x" is not of type "integer"',
        "header/x-id: x-id is required",
        "body/title: title is required",
    }
    assert (reading.query, reading.body, reading.media) == ({"limit": "x"}, {}, "application/json")
