"""openapi-core as the judge of documents and of what the plan cannot cover."""

import subprocess
import sys
from typing import Any

import pytest
from tests.contract.documents import JSON_LINE, OK, contract, document, taking

from tasktwin.contract import Operation, verify


def test_a_right_document_passes() -> None:
    assert verify(document({"/": {"get": {}}})) == ()


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_a_wrong_document_is_pointed_at(version: str) -> None:
    broken = document({"/": {"get": {"responses": OK, "deprecated": "no"}}}, version)
    assert any("/paths/~1" in problem.pointer or "deprecated" in problem.message for problem in verify(broken))


@pytest.mark.parametrize("broken", [{}, {"openapi": "3.1.0", "paths": 7}, None, []], ids=str)
def test_what_is_no_document_is_a_problem_and_not_a_crash(broken: Any) -> None:
    assert verify(broken)


def uncovered() -> Operation:
    parameters = [{"name": "limit", "in": "query", "required": True, "schema": {"type": "integer", "maximum": 9}}]
    body = {"required": True, "content": {"application/xml": {}, "application/json": {"schema": {"required": ["a"]}}}}
    operation = {
        "operationId": "it",
        "parameters": parameters,
        "requestBody": body,
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "integer"}}}}},
    }
    return contract({"/": {"post": operation}}, servers=[{"url": "https://x.test/v1"}], security=[]).operations["it"]


@pytest.mark.parametrize(
    ("query", "headers", "body", "found"),
    [
        (b"limit=5", (JSON_LINE,), b'{"a":1}', []),
        (b"limit=50", (JSON_LINE,), b'{"a":1}', [("query", "/limit", "maximum")]),
        (b"limit=x", (JSON_LINE,), b'{"a":1}', [("query", "/limit", "type")]),
        (b"", (JSON_LINE,), b"{}", [("query", "/limit", "required"), ("body", "", "required")]),
        (b"limit=5", (), b"", [("body", "", "required")]),
        (b"limit=5", (JSON_LINE,), b"\xff", [("body", "", "json")]),
        (b"limit=5", ((b"content-type", b"text/plain"),), b"x", [("body", "", "media-type")]),
        (b"limit=5", ((b"content-type", b"application/json;"),), b'{"a":1}', [("body", "", "reference")]),
    ],
)
def test_an_uncovered_operation_is_checked_by_the_reference(
    query: bytes, headers: Any, body: bytes, found: list[Any]
) -> None:
    violations = uncovered().read({}, query, headers, body).violations
    assert [(item.where, item.pointer, item.keyword) for item in violations] == found


@pytest.mark.parametrize(("status", "body", "keywords"), [(200, 7, []), (200, "x", ["type"]), (404, 7, ["status"])])
def test_its_responses_too(status: int, body: Any, keywords: list[str]) -> None:
    assert [item.keyword for item in uncovered().check_response(status, "application/json", body)] == keywords


def test_openapi_core_is_not_imported_until_it_is_needed() -> None:
    code = "import sys, tasktwin.contract as c; c.compile_contract({'openapi': '3.1.0', 'paths': {}}); print('openapi_core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_covered_operation_does_not_need_it() -> None:
    assert taking({}).uncovered == ""
