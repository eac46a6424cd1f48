"""Events of a stream: where a document describes them, and what each of them may be."""

from typing import Any

import pytest
from tests.contract.documents import answering, operation

from tasktwin.contract import Operation

STREAM = "text/event-stream"
JOB = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
GOOD = {"event": "job", "data": {"id": "j1"}}
BAD = {"event": "job", "data": {"id": 1}}


def event(data: Any, **rest: Any) -> dict[str, Any]:
    """The schema of events with such data."""
    return {"type": "object", "required": ["data"], "properties": {"data": data}, **rest}


def coded(schema: Any) -> dict[str, Any]:
    """A text that is JSON of this schema."""
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}


def streaming(media: dict[str, Any], **schemas: Any) -> Operation:
    """An operation that answers 200 with a stream, described like this."""
    answers = {"200": {"description": "ok", "content": {STREAM: media}}}
    return operation(schemas={"Job": JOB, **schemas}, responses=answers)


def found(target: Operation, value: Any) -> list[tuple[str, str]]:
    """What is wrong with an event: where, and which keyword says so."""
    return [(each.pointer, each.keyword) for each in target.check_event(200, value)]


REF = {"$ref": "#/components/schemas/JobEvent"}
NAMED = event(coded({"$ref": "#/components/schemas/Job"}))


@pytest.mark.parametrize(
    "media",
    [
        {"itemSchema": REF},
        {"x-itemSchema": REF},
        {"schema": REF},
        {"schema": REF, "x-itemSchema": REF},
        {"schema": {"type": "string"}, "itemSchema": REF},
        {"schema": {"type": "string"}, "x-itemSchema": REF},
        {"schema": {"type": "array"}, "x-itemSchema": {"type": "array"}, "itemSchema": REF},
    ],
    ids=["3.2", "3.1", "schema", "both", "3.2-before-a-text", "3.1-before-a-text", "3.2-before-all"],
)
def test_an_event_is_held_to_the_schema_wherever_it_stands(media: dict[str, Any]) -> None:
    target = streaming(media, JobEvent=NAMED)
    assert found(target, GOOD) == []
    assert found(target, BAD) == [("/data/id", "type")]


@pytest.mark.parametrize(
    "schema",
    [
        NAMED,
        event(coded(JOB)),
        event({"$ref": "#/components/schemas/JobText"}),
        {"$ref": "#/components/schemas/Again"},
        {"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/JobEvent"}]},
        {"allOf": [{"allOf": [REF]}]},
        event({"$ref": "#/components/schemas/Job"}),
    ],
    ids=["data-by-ref", "data-in-place", "text-by-ref", "ref-to-ref", "all-of", "all-of-all-of", "data-is-no-text"],
)
def test_what_data_holds_is_found_behind_references_and_branches(schema: dict[str, Any]) -> None:
    again = {"$ref": "#/components/schemas/JobEvent"}
    target = streaming({"schema": schema}, JobEvent=NAMED, JobText=coded(JOB), Again=again)
    assert found(target, GOOD) == []
    assert found(target, BAD) == [("/data/id", "type")]


@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        (GOOD, True),
        ({"event": "ping", "data": "still here"}, True),
        ({"event": "job", "data": "still here"}, False),
        ({"event": "ping", "data": {"id": "j1"}}, False),
        ({"event": "pong", "data": "still here"}, False),
        (BAD, False),
    ],
    ids=["job", "ping", "job-as-a-text", "ping-with-a-job", "unknown", "broken-job"],
)
def test_an_event_must_be_one_of_those_described(word: str, value: Any, is_right: bool) -> None:  # noqa: FBT001 - a row
    job = {"type": "object", "properties": {"event": {"const": "job"}, "data": coded(JOB)}}
    ping = {"type": "object", "properties": {"event": {"const": "ping"}, "data": {"type": "string"}}}
    target = streaming({"schema": {word: [job, {"$ref": "#/components/schemas/Ping"}]}}, Ping=ping)
    assert (target.check_event(200, value) == ()) is is_right


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"data": "a text\nof two lines"}, []),
        ({"data": ""}, []),
        ({"data": {"id": "j1"}}, [("/data", "type")]),
        ({"data": "x", "id": "7"}, []),
        ({"data": "x", "id": "seven"}, [("/id", "pattern")]),
        ({"event": "odd", "data": "x"}, [("", "not")]),
    ],
    ids=["text", "empty", "json", "id", "bad-id", "named"],
)
def test_data_that_is_plain_text_stays_a_text(value: Any, wrong: list[tuple[str, str]]) -> None:
    schema = event({"type": "string"}, **{"not": {"required": ["event"]}})
    schema["properties"]["id"] = {"type": "string", "pattern": "^[0-9]+$"}
    assert found(streaming({"schema": schema}), value) == wrong


@pytest.mark.parametrize(
    "media",
    [{}, {"schema": {"type": "string"}}, {"schema": {"$ref": "#/components/schemas/Text"}}, {"schema": {}}],
    ids=["nothing", "a-text", "a-text-by-ref", "anything"],
)
def test_a_document_that_describes_no_events_forbids_none(media: dict[str, Any]) -> None:
    target = streaming(media, Text={"type": "string"})
    assert found(target, {"event": "anything", "id": "x", "data": [1, None]}) == []


@pytest.mark.parametrize(
    ("target", "status"),
    [(answering(JOB), 200), (streaming({"schema": NAMED}), 201), (streaming({"schema": NAMED}), 500)],
    ids=["json-only", "another-2xx", "an-error"],
)
def test_a_status_without_a_stream_takes_no_event(target: Operation, status: int) -> None:
    (wrong,) = target.check_event(status, GOOD)
    assert (wrong.where, wrong.keyword) == ("response", "media-type")
    assert f"{status} is not declared as a stream" in wrong.message


def test_a_media_type_with_parameters_is_a_stream_too() -> None:
    answers = {"2XX": {"description": "ok", "content": {f"{STREAM}; charset=utf-8": {"schema": NAMED}}}}
    target = operation(schemas={"Job": JOB}, responses=answers)
    assert found(target, GOOD) == []
    assert found(target, BAD) == [("/data/id", "type")]


def test_an_event_that_refers_to_itself_is_read_to_a_bounded_depth() -> None:
    tree = {"oneOf": [REF, NAMED], "anyOf": [REF, REF], "allOf": [{}]}
    target = streaming({"schema": {"$ref": "#/components/schemas/Tree"}}, Tree=tree, JobEvent=NAMED)
    assert found(target, BAD) != []


def test_data_that_holds_itself_is_checked_all_the_way_down() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "n": {"type": "integer"}}}
    target = streaming({"schema": event(coded({"$ref": "#/components/schemas/Node"}))}, Node=node)
    deep: dict[str, Any] = {"n": "no number"}
    for _ in range(20):
        deep = {"next": deep}
    assert found(target, {"data": deep}) == [("/data" + "/next" * 20 + "/n", "type")]
