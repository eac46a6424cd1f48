"""What a real FastAPI app answered, pair by pair, and the AITasker twin beside it; then the dialect by itself.

``fastapi_pairs.json`` was captured over HTTP; its ``about`` tells how. The app ``plain`` has no content rule, so its
pairs are played against the twin with ``description_min_length: 0``.
"""

import base64
import json
import shutil
from pathlib import Path

import pytest
from tests.contract.documents import asking, contract, taking

from tasktwin.behaviour.asked import Asked, Finding
from tasktwin.contract import Operation
from tasktwin.dialect.fastapi import Fields, read
from tasktwin.exchange.twin import Answer, Twin
from tasktwin.provider import Provider, load
from tasktwin.wire import Json

CAPTURED = json.loads(Path(__file__).with_name("fastapi_pairs.json").read_text(encoding="utf-8"))
PAIRS = {pair["id"]: pair for pair in CAPTURED["pairs"]}
TASK = "0b6f6f0e-6a52-4b0e-9f5e-3f0f5d6f2a11"
DRAFT = "10000000-0000-4000-8000-000000000001"
FIXTURE = Path("fixtures/aitasker")

OURS = {"id", "user_id", "created_at", "expires_at", "status"}
"""What no answer can have in common with the captured one."""

WORDING = "the words of the content rule are the experiment's own"
BREAKS_DOWN = (
    "FastAPI breaks down with a plain 500, because it cannot write the input as JSON; the twin tells the fault"
)
DIFFERS = {
    "create: budget_usd NaN literal": BREAKS_DOWN,
    "create: budget_usd Infinity literal": BREAKS_DOWN,
    "create: budget_usd 1e400 literal": BREAKS_DOWN,
    "create: title with a lone surrogate escape": BREAKS_DOWN,
    "create: budget_usd 1000000000000000000000000000000": "the twin writes integers beyond 64 bits as doubles",
    "create: budget_usd integer of 400 digits": "an integer beyond any double is echoed as text",
    "create: requirements nested 200 deep": "the twin reads and writes 200 levels of JSON in all, here are 201",
    "create draft: empty object": "what an empty draft holds is the experiment's choice there, ours here",
    "create draft: title only": "what an empty draft holds is the experiment's choice there, ours here",
    "route: HEAD on a task": "FastAPI answers 405; the twin answers HEAD like GET",
    "route: OPTIONS on tasks": "FastAPI answers 405; the twin tells the methods",
    "content rule: no content": WORDING,
    "content rule: 19 characters": WORDING,
    "content rule: 19 characters and white space": WORDING,
    "content rule: unknown keys are in input too": WORDING,
}
"""Pairs that do not agree in status and body, and why."""


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Provider]:
    """The twin of each captured app."""
    plain = tmp_path_factory.mktemp("providers") / "plain"
    shutil.copytree(FIXTURE, plain)
    data = plain / "provider.yaml"
    data.write_text(data.read_text(encoding="utf-8").replace("description_min_length: 20", "description_min_length: 0"))
    return {"plain": load(str(plain)), "rule": load(str(FIXTURE))}


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in DIFFERS])
def test_the_twin_answers_what_fastapi_answered(providers: dict[str, Provider], name: str) -> None:
    pair = PAIRS[name]
    assert told(play(providers, pair), pair) == expected(pair)


@pytest.mark.parametrize("name", DIFFERS)
def test_a_pair_that_is_said_to_differ_does_and_never_breaks_the_twin(
    providers: dict[str, Provider], name: str
) -> None:
    answer = play(providers, PAIRS[name])
    assert answer.status < 500, answer.content
    assert told(answer, PAIRS[name]) != expected(PAIRS[name])


@pytest.mark.parametrize("name", [name for name, reason in DIFFERS.items() if reason == WORDING])
def test_the_content_rule_differs_in_its_words_only(providers: dict[str, Provider], name: str) -> None:
    (fault,), (captured,) = play(providers, PAIRS[name]).json()["detail"], PAIRS[name]["response_json"]["detail"]
    assert {**fault, "msg": ""} == {**captured, "msg": ""}
    assert fault["msg"].startswith("Value error, ")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ('{"budget_usd": NaN}', "finite_number", "Input should be a finite number"),
        ('{"budget_usd": -Infinity}', "finite_number", "Input should be a finite number"),
        (
            r'{"title": "\ud800"}',
            "string_unicode",
            "Input should be a valid string, unable to parse raw data as a unicode string",
        ),
    ],
)
def test_what_fastapi_cannot_write_is_told_as_a_fault(
    providers: dict[str, Provider], content: str, kind: str, message: str
) -> None:
    answer = autosave(providers, content.encode())
    (fault,) = answer.json()["detail"]
    assert (answer.status, fault["type"], fault["msg"]) == (422, kind, message)


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ('{"n": NaN, "m": [Infinity]}', {"n": None, "m": [None]}),
        ('{"n": 1000000000000000000000}', {"n": 1e21}),
        (r'{"\ud800": "a\udfffb"}', {"\ufffd": "a\ufffdb"}),
        (r'{"a": "\ud83d\ude00"}', {"a": "😀"}),
    ],
    ids=["no number", "large integer", "lone surrogate", "surrogate pair"],
)
def test_requirements_come_back_as_json_can_write_them(
    providers: dict[str, Provider], content: str, kept: Json
) -> None:
    answer = autosave(providers, b'{"requirements": ' + content.encode() + b"}")
    assert (answer.status, answer.json()["requirements"]) == (200, kept)


@pytest.mark.parametrize("path", ["/api/v1/tasks/%FF", "/api/v1/tasks/%ED%A0%80", "/api/v1/tasks?limit=%FF%00"])
def test_bytes_that_are_no_text_are_refused_in_the_apis_shape(providers: dict[str, Provider], path: str) -> None:
    answer = Twin(providers["rule"]).request("GET", path, as_="poster")
    assert answer.status == 422
    assert "\ufffd" in answer.json()["detail"][0]["input"]


@pytest.mark.parametrize("levels", [199, 1_000, 100_000])
def test_deep_nesting_is_refused_before_sign_in_beyond_what_can_be_written(
    providers: dict[str, Provider], levels: int
) -> None:
    content = b'{"requirements": {"a": ' + b"[" * levels + b"]" * levels + b"}}"
    answer = Twin(providers["rule"]).request("POST", "/api/v1/tasks", content=content, headers=JSON)
    assert (answer.status, answer.json()) == (400, {"detail": "There was an error parsing the body"})


JSON = {"Content-Type": "application/json"}


def autosave(providers: dict[str, Provider], content: bytes) -> Answer:
    return Twin(providers["rule"]).request(
        "PATCH", f"/api/v1/tasks/{DRAFT}", content=content, headers=JSON, as_="poster"
    )


def play(providers: dict[str, Provider], pair: Json) -> Answer:
    """Send the captured request to a fresh world that has the task of the captured app."""
    twin = Twin(providers[pair["app"]])
    seeded = twin.read("task", DRAFT)
    assert seeded is not None
    blank = {"title": "", "description": "", "category": "data", "task_type": "spreadsheet", "budget_usd": 3.0}
    twin.world.store.put("task", TASK, {**seeded, **blank, "id": TASK})
    headers = {name: value.replace("aitk_test_demo", "aitk_test_poster") for name, value in pair["headers"].items()}
    return twin.request(pair["method"], pair["path"], content=sent(pair), headers=headers)


def sent(pair: Json) -> bytes:
    if "body_base64" in pair:
        return base64.b64decode(pair["body_base64"])
    return str(pair.get("body_text", "")).encode()


def told(answer: Answer, pair: Json) -> Json:
    """Of an answer what the pair can say something about."""
    body = json.loads(answer.content) if answer.content else None
    return narrowed(answer.status, body, pair), location(answer.headers)


def expected(pair: Json) -> Json:
    return narrowed(pair["status"], pair.get("response_json"), pair), location(pair.get("response_headers", {}))


def narrowed(status: int, body: Json, pair: Json) -> Json:
    if pair["id"].startswith("list: ") and status == 200:
        return status, "tasks"
    if status >= 300 or "title" not in pair.get("response_json", {}):
        return status, body
    unsaid = {*OURS, "title"} if pair["response_json"]["title"] == "" else OURS
    return status, {name: value for name, value in body.items() if name not in unsaid}


def location(headers: Json) -> str:
    return str(headers.get("location", "")).replace("http://HOST", "http://localhost")


# ── the dialect by itself ────────────────────────────────────────────────────────────────────────────────────────────

LIMITED = asking("n", {"type": "integer"})
PARAMETERS = {
    "uuid_texts": asking("n", {"type": "string", "format": "uuid"}),
    "float_texts": asking("n", {"type": "number"}),
    "int_texts": LIMITED,
}


@pytest.mark.parametrize("table", PARAMETERS)
def test_texts_are_read_as_pydantic_reads_them(table: str) -> None:
    wrong = {}
    for text, meant in CAPTURED["tables"][table].items():
        found = read(asked(PARAMETERS[table], query=f"n={quoted(text)}".encode()))
        if outcome(found) != (meant.get("value") if "value" in meant else (meant["type"], meant["msg"])):
            wrong[text] = (outcome(found), meant)
    assert wrong == {}


def test_malformed_json_is_told_as_python_tells_it() -> None:
    wrong = {}
    for text, meant in CAPTURED["tables"]["json_texts"].items():
        if text and "pos" in meant:
            (fault,) = read(asked(taking({}), body=text.encode())).faults
            if (fault["loc"], fault["ctx"]) != (["body", meant["pos"]], {"error": meant["error"]}):
                wrong[text] = (fault, meant)
    assert wrong == {}


@pytest.mark.parametrize(
    ("body", "required", "faults"),
    [(b"", True, [("missing", None)]), (b"", False, []), (b"null", True, [("model_attributes_type", None)])],
    ids=["absent", "absent and optional", "null"],
)
def test_no_body_is_not_the_same_as_null(body: bytes, required: bool, faults: Json) -> None:  # noqa: FBT001 - a column
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    node = {"required": required, "content": {"application/json": {"schema": schema}}}
    operation = contract({"/": {"post": {"operationId": "it", "requestBody": node}}}).operations["it"]
    found = read(asked(operation, body=body))
    assert [(each["type"], each["input"]) for each in found.faults] == faults


@pytest.mark.parametrize("body", [b"\xff", b"9" * 5_000, b"[" * 5_000, b'"\xed\xa0"'])
def test_a_body_that_python_cannot_read_at_all_is_unparsable(body: bytes) -> None:
    assert read(asked(taking({"type": "object"}), body=body)).kind == "unparsable"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_of_json_are_read(encoding: str) -> None:
    assert read(asked(taking({"type": "object"}), body='{"é": 1}'.encode(encoding))).body == {"é": 1}


def test_unknown_keys_are_dropped_but_what_was_sent_is_kept() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number"}}}
    body = read(asked(taking(schema), body=b'{"n": "12", "x": 1}')).body
    assert isinstance(body, Fields)
    assert (body, body.sent) == ({"n": 12.0}, {"n": "12", "x": 1})


def test_a_schema_that_refers_to_itself_is_read_to_any_depth() -> None:
    tree = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}, "kids": {}}}
    tree["properties"] = {
        "n": {"type": "integer"},
        "left": {"$ref": "#/components/schemas/Tree"},
        "right": {"$ref": "#/components/schemas/Tree"},
    }
    operation = taking({"$ref": "#/components/schemas/Tree"}, schemas={"Tree": tree})
    body: Json = {"n": "x"}
    for _ in range(50):
        body = {"n": 1, "left": body}
    (fault,) = read(asked(operation, body=json.dumps(body).encode())).faults
    assert fault["loc"] == ["body", *["left"] * 50, "n"]


def test_a_missing_query_parameter_has_no_input_and_a_repeated_one_is_a_list_or_its_last_value() -> None:
    needed = asking("q", {"type": "string"}, required=True)
    (fault,) = read(asked(needed, query=b"other=1")).faults
    assert fault == {"type": "missing", "loc": ["query", "q"], "msg": "Field required", "input": None}
    assert read(asked(needed, query=b"q=1&q=2")).query == {"q": "2"}
    many = asking("q", {"type": "array", "items": {"type": "integer"}})
    assert read(asked(many, query=b"q=1&q=2")).query == {"q": [1, 2]}


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        ({"enum": ["a", "b"]}, "c", "Input should be 'a' or 'b'"),
        ({"type": "boolean"}, "maybe", "Input should be a valid boolean, unable to interpret input"),
        ({"type": ["integer", "null"]}, "x", "Input should be a valid integer, unable to parse string as an integer"),
        ({"anyOf": [{"type": "null"}]}, "x", "Input should be None"),
        ({"type": "integer", "exclusiveMinimum": 1}, "1", "Input should be greater than 1"),
        ({"type": "number", "multipleOf": 0.5}, "1.2", "Input should be a multiple of 0.5"),
        ({"type": "string", "minLength": 2}, "a", "String should have at least 2 characters"),
        ({"type": "string", "pattern": "^a+$"}, "b", "String should match pattern '^a+$'"),
        ({"type": "string", "format": "date"}, "x", "Input should be a valid date or datetime, input is too short"),
    ],
)
def test_a_fault_is_worded_as_pydantic_words_it(schema: Json, text: str, message: str) -> None:
    (fault,) = read(asked(asking("n", schema), query=f"n={text}".encode())).faults
    assert fault["msg"] == message


def asked(operation: Operation, *, query: bytes = b"", body: bytes = b"") -> Asked:
    return Asked(operation, {}, query, "application/json", body)


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def outcome(found: Finding) -> Json:
    if found.faults:
        (fault,) = found.faults
        return fault["type"], fault["msg"]
    value = found.query["n"]
    return str(value) if value in {float("inf"), float("-inf")} or value != value else value  # noqa: PLR0124 - NaN
