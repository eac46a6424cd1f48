"""What our own checks make of single answers, by the data of the bundled providers."""

import pytest

from tasktwin.provider import Provider, load
from tasktwin.suite.finding import Line
from tasktwin.suite.schema.check import envelope, error_dialect, paging, success_of
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json, dumps

JSON = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture(scope="module")
def uumit() -> Provider:
    return load("uumit")


def line(operation: str, status: int, body: Json, path: str = "/", method: str = "GET") -> Line:
    return Line(Request(method, path, operation=operation), Reply(status, JSON, dumps(body)))


def page(count: int, **said: Json) -> Json:
    told = {"total": 45, "page": 2, "page_size": 20, "has_more": True, **said}
    return {"code": 0, "data": {"items": [{} for _ in range(count)], **told}}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(200, 0, ""), (404, 1004, ""), (200, 1004, "success"), (409, 0, "error")],
    ids=["success", "refusal", "refusal-as-success", "success-as-refusal"],
)
def test_status_and_code_must_say_the_same(uumit: Provider, status: int, code: int, kind: str) -> None:
    wrong = envelope(uumit, line("getTask", status, {"code": code}))
    assert (wrong.kind if wrong else "") == kind


def test_what_stands_in_no_envelope_is_not_held_against_it(uumit: Provider) -> None:
    assert envelope(uumit, line("sendAgentRequest", 200, {"code": 7})) is None
    assert success_of(uumit) == ("code", 0)
    assert success_of(load("posthog")) is None


@pytest.mark.parametrize(
    ("body", "query", "kind"),
    [
        (page(20), "?page=2", ""),
        (page(5, page=3, has_more=False), "?page=3", ""),
        (page(0, page=9, has_more=False), "?page=9", ""),
        (page(21), "?page=2", "size"),
        (page(19), "?page=2", "items"),
        (page(20, has_more=False), "?page=2", "more"),
        (page(20, page=1), "?page=2", "number"),
        (page(20), "?page=2&page_size=30", "echoed"),
        (page(20), "?page=2x", ""),
    ],
    ids=["middle", "last", "behind", "too-many", "too-few", "no-more", "other-page", "other-size", "no-number"],
)
def test_the_numbers_of_a_page_must_agree(uumit: Provider, body: Json, query: str, kind: str) -> None:
    wrong = paging(uumit, line("listTasks", 200, body, f"/api/v1/tasks/{query}"))
    assert (wrong.kind if wrong else "") == kind


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ({"count": 3, "next": None, "results": [{}, {}, {}]}, ""),
        ({"count": 3, "next": "u", "results": [{}, {}, {}]}, "more"),
    ],
    ids=["last", "next-of-the-last"],
)
def test_a_link_to_the_next_page_is_there_only_if_there_is_one(shown: Json, kind: str) -> None:
    wrong = paging(load("posthog"), line("listTasks", 200, shown, "/api/projects/1/tasks/"))
    assert (wrong.kind if wrong else "") == kind


@pytest.mark.parametrize(
    ("name", "operation", "status", "body", "good"),
    [
        ("uumit", "getTask", 404, {"code": 1004, "message": "no", "data": None, "timestamp": 1}, True),
        ("uumit", "getTask", 404, {"detail": "Not Found"}, False),
        ("aitasker", "getTask", 422, {"detail": []}, True),
        ("aitasker", "getTask", 404, {"error": "no"}, False),
        ("uumit", "getTask", 418, {"detail": "I am a teapot"}, True),
    ],
    ids=["own", "foreign", "own-list", "foreign-word", "unknown-status"],
)
def test_an_error_has_the_members_of_the_api(name: str, operation: str, status: int, body: Json, *, good: bool) -> None:
    assert (error_dialect(load(name), line(operation, status, body)) is None) is good


def test_an_error_without_a_body_is_none_of_the_api(uumit: Provider) -> None:
    bare = Line(Request("GET", "/", operation="getTask"), Reply(404))
    wrong = error_dialect(uumit, bare)
    assert wrong is not None
    assert wrong.actual == "no body"
