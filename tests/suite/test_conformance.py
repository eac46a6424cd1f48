"""Whether an answer keeps the contract: told once for each place, with what it contradicts."""

from pathlib import Path
from typing import Any

import pytest
from tests.suite.market import good

from tasktwin.provider import load
from tasktwin.suite.conformance import mismatches
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import dumps

JOB = {"id": "j1", "title": "Paint", "state": "open", "owner": "ann", "created_at": "2026-01-01T00:00:00Z"}
JSON = "application/json"


def judged(method: str, path: str, status: int, body: object, media: str = JSON, **more: Any) -> list[Mismatch]:
    raw = body if isinstance(body, bytes) else dumps(body)
    reply = Reply(status, {"content-type": media} if media else {}, raw, **more)
    return list(mismatches(good(), Request(method, path), reply))


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "media"),
    [
        ("GET", "/jobs/j1", 200, JOB, JSON),
        ("GET", "/jobs/j1?x=1", 200, JOB, "application/json; charset=utf-8"),
        ("GET", "/jobs/j1", 404, {"error": "not_found"}, JSON),
        ("DELETE", "/jobs/j1", 204, b"", ""),
        ("GET", "/jobs/j1/events", 200, b"data: {}\n\n", "text/event-stream"),
        ("GET", "/somewhere/else", 200, b"<html>", "text/html"),
        ("PUT", "/jobs/j1", 200, b"<html>", "text/html"),
    ],
    ids=["a success", "charset", "a refusal", "nothing", "a stream", "no path of it", "no method of it"],
)
def test_nothing_is_said_of_an_answer_that_keeps_it_or_that_it_does_not_describe(
    method: str, path: str, status: int, body: object, media: str
) -> None:
    assert judged(method, path, status, body, media) == []


@pytest.mark.parametrize("more", [{"cut": True}, {}], ids=["cut", "none"])
def test_answers_that_never_came_whole_are_others_business(more: dict[str, Any]) -> None:
    assert judged("GET", "/jobs/j1", 200 if more else 0, b"{", **more) == []


@pytest.mark.parametrize(
    ("body", "media", "status", "words", "pointer"),
    [
        ({**JOB, "title": 7}, JSON, 200, "7 is not of type", "/title"),
        ({**JOB, "state": "lost"}, JSON, 200, "lost", "/state"),
        ({key: JOB[key] for key in JOB if key != "owner"}, JSON, 200, "owner", ""),
        (b"{", JSON, 200, "the body is no JSON", ""),
        (b"\xff", JSON, 200, "the body is no JSON", ""),
        (b"<html>", "text/html", 200, "text/html is not declared", ""),
        (b"", "", 200, "the answer is empty, the document declares application/json", ""),
        (b"", JSON, 200, "the answer is empty, the document declares application/json of type object", ""),
    ],
    ids=["type", "word", "missing", "no JSON", "no UTF-8", "media", "nothing", "no JSON at all"],
)  # fmt: skip
def test_what_breaks_it_is_told_with_its_place(body: object, media: str, status: int, words: str, pointer: str) -> None:
    found = judged("GET", "/jobs/j1", status, body, media)
    assert [each.rule for each in found] == ["contract.response"]
    assert found[0].title.startswith(f"getJob answers {status} against the contract")
    assert words in found[0].title + found[0].actual + found[0].expected
    assert found[0].pointer.startswith(pointer)
    assert found[0].goes_on


@pytest.mark.parametrize(("status", "severity"), [("202", "note"), ("204", "failure")], ids=["may have one", "never"])
def test_a_body_that_the_document_does_not_describe_is_a_note_where_there_may_be_one(
    status: str, severity: str, tmp_path: Path
) -> None:
    document = {
        "openapi": "3.1.0", "info": {"title": "T", "version": "1"},
        "paths": {"/things": {"post": {"operationId": "makeThing", "responses": {status: {"description": "Done."}}}}},
    }  # fmt: skip
    (tmp_path / "openapi.yaml").write_bytes(dumps(document))
    reply = Reply(int(status), {"content-type": JSON}, b"{}")
    (found,) = mismatches(load(str(tmp_path)), Request("POST", "/things"), reply)
    assert "this response has no body" in found.title
    assert found.basis.severity == severity
    assert ("does not say" in found.basis.text) == (severity == "note")


def test_many_rows_with_one_fault_are_one_mismatch() -> None:
    rows = [{**JOB, "id": n, "title": None} for n in range(30)]
    found = judged("GET", "/jobs", 200, {"items": rows, "total": 30, "more": False})
    assert sorted(each.cause for each in found) == [
        "contract.response:listJobs:200:/items/*/id:type",
        "contract.response:listJobs:200:/items/*/title:type",
    ]


@pytest.mark.parametrize(("name", "severity"), [("title", "failure"), ("hours", "note")], ids=["stated", "assumed"])
def test_what_is_only_assumed_weighs_less(name: str, severity: str) -> None:
    found = judged("GET", "/jobs/j1", 200, {**JOB, name: ["wrong"]})
    assert [each.basis.severity for each in found] == [severity]
    assert f"/{name}" in found[0].basis.text


def test_a_long_answer_is_told_in_a_few_words() -> None:
    found = judged("GET", "/jobs/j1", 200, {**JOB, "owner": ["x" * 100_000]})
    assert all(len(each.actual) < 300 and len(each.expected) < 300 for each in found)
    assert len(found[0].title) < 1_000
