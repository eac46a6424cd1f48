"""Whatever is sent, the answer is the API's own error (or HTTP's, where no shape can apply), and nothing is changed."""

from typing import NamedTuple

import pytest
from tests.server.front import (
    ADA,
    ADAS_TASK,
    ALICE,
    ALICES_TASK,
    OTTO,
    TASK,
    TASKS,
    Lines,
    World,
    as_bytes,
    assert_in_the_apis_shape,
    assert_problem,
    message,
    replies,
    talk,
)

from tasktwin import load
from tasktwin.contract import Operation
from tasktwin.wire import Json, dumps

JSON = {"Content-Type": "application/json"}
LIMIT = 1_048_576
NOBODY = "00000000-0000-4000-8000-000000000000"


def raw_task(more: bytes) -> bytes:
    """A good task with a last member written as it is given; it overrides an earlier one of its name."""
    return dumps(TASK)[:-1] + b"," + more + b"}"


class Bad(NamedTuple):
    """A body and how it must be refused."""

    body: bytes
    status: int
    code: int
    media: str = "application/json"


BODIES = {
    "empty": Bad(b"", 422, 1008),
    "not JSON": Bad(b"{", 400, 1001),
    "words": Bad(b"title=Read", 400, 1001),
    "two values": Bad(b"{}{}", 400, 1001),
    "a comma too many": Bad(b'{"title": "x",}', 400, 1001),
    "single quotes": Bad(b"{'title': 'x'}", 400, 1001),
    "not UTF-8": Bad(raw_task(b'"title": "\xff\xfe"'), 400, 1001),
    "overlong UTF-8": Bad(raw_task(b'"title": "\xc0\xaf"'), 400, 1001),
    "UTF-8 of a surrogate": Bad(raw_task(b'"title": "\xed\xa0\x80"'), 400, 1001),
    "UTF-16": Bad(dumps(TASK).decode().encode("utf-16"), 400, 1001),
    "a byte order mark": Bad(b"\xef\xbb\xbf" + dumps(TASK), 400, 1001),
    "10,000 lists deep": Bad(b"[" * 10_000 + b"]" * 10_000, 400, 1001),
    "10,000 objects deep": Bad(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, 1001),
    "10,000 lists never closed": Bad(b"[" * 10_000, 400, 1001),
    "201 lists deep in a field": Bad(raw_task(b'"x": ' + b"[" * 201 + b"]" * 201), 400, 1001),
    "a number beyond a double": Bad(raw_task(b'"delivery_hours": 1e400'), 400, 1001),
    "5,000 digits": Bad(raw_task(b'"delivery_hours": ' + b"9" * 5_000), 400, 1001),
    "30 digits": Bad(raw_task(b'"delivery_hours": ' + b"9" * 30), 422, 1008),
    "money without end": Bad(raw_task(b'"bounty_amount": "1e400"'), 422, 1008),
    "1e300 of money": Bad(raw_task(b'"bounty_amount": 1e300'), 422, 1008),
    "money of words": Bad(raw_task(b'"bounty_amount": "NaN"'), 422, 1008),
    "no money": Bad(raw_task(b'"bounty_amount": -0.0'), 422, 1008),
    "NaN": Bad(raw_task(b'"bounty_amount": NaN'), 400, 1001),
    "Infinity": Bad(raw_task(b'"bounty_amount": -Infinity'), 400, 1001),
    "a bare NUL in a string": Bad(raw_task(b'"title": "a\x00b"'), 400, 1001),
    "NUL bytes": Bad(b"\x00" * 100, 400, 1001),
    "a lone high surrogate": Bad(raw_task(rb'"title": "\ud800"'), 400, 1001),
    "a lone low surrogate": Bad(raw_task(rb'"title": "\udc00!"'), 400, 1001),
    "surrogates in the wrong order": Bad(raw_task(rb'"title": "\udc00\ud800"'), 400, 1001),
    "a list": Bad(b"[]", 422, 1008),
    "null": Bad(b"null", 422, 1008),
    "a string": Bad(b'"task"', 422, 1008),
    "a number": Bad(b"1", 422, 1008),
    "wrong types everywhere": Bad(dumps({name: [] for name in TASK}), 422, 1008),
    "money that is a reference": Bad(raw_task(b'"bounty_amount": {"$ref": "#"}'), 422, 1008),
    "too large": Bad(b'"' + b"x" * LIMIT + b'"', 413, 1001),
    "far too large": Bad(b"x" * (5 * LIMIT), 413, 1001),
    "text": Bad(dumps(TASK), 415, 1001, "text/plain"),
    "XML": Bad(b"<task/>", 415, 1001, "application/xml"),
    "a form": Bad(b"title=Read", 415, 1001, "application/x-www-form-urlencoded"),
    "a multipart form without a boundary": Bad(b"--x", 415, 1001, "multipart/form-data"),
    "half a media type": Bad(dumps(TASK), 415, 1001, "json"),
    "a media type with three parts": Bad(dumps(TASK), 415, 1001, "application/json/x"),
    "a media type of strange bytes": Bad(dumps(TASK), 415, 1001, "\xff\xfe"),
    "a range of media types": Bad(dumps(TASK), 415, 1001, "*/*"),
}


@pytest.mark.parametrize("target", [("POST", TASKS), ("PUT", TASKS + ALICES_TASK)], ids=["create", "update"])
@pytest.mark.parametrize("bad", BODIES.values(), ids=BODIES)
def test_a_bad_body_is_refused_and_nothing_is_written(world: World, bad: Bad, target: tuple[str, str]) -> None:
    before = world.evidence()
    headers = as_bytes({**ALICE, "Content-Type": bad.media})
    response = world.api.request(*target, content=bad.body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (bad.status, bad.code), response.text
    assert_in_the_apis_shape(response.status_code, response.headers["content-type"], response.json())
    assert response.headers["tasktwin-reason"].startswith("refused: ")
    assert world.evidence() == before
    assert [entry["status"] for entry in world.entries()] == [bad.status]


def test_a_body_too_large_without_a_length_is_refused(world: World) -> None:
    before = world.evidence()
    chunks = (b"x" * 65_536 for _ in range(40))
    response = world.api.post(TASKS, content=chunks, headers={**ALICE, **JSON})
    assert response.status_code == 413
    assert_in_the_apis_shape(413, response.headers["content-type"], response.json())
    assert world.evidence() == before


def test_a_body_as_large_as_the_limit_is_read(world: World) -> None:
    response = world.api.post(TASKS, content=b'"' + b"x" * (LIMIT - 2) + b'"', headers={**ALICE, **JSON})
    assert response.status_code == 422, "read, and found to be no task"


def test_of_duplicate_keys_the_last_one_counts(world: World) -> None:
    sent = raw_task(b'"title": "second", "title": "third"')
    answer = world.api.post(TASKS, content=sent, headers={**ALICE, **JSON}).json()
    assert answer["data"]["title"] == "third"
    assert world.rows("task")[-1]["title"] == "third"


def test_an_escaped_nul_is_a_character_like_others(world: World) -> None:
    created = world.post_task(title="a\x00b").json()["data"]
    assert world.api.get(TASKS + created["id"], headers=ALICE).json()["data"]["title"] == "a\x00b"
    assert world.api.get(TASKS, params={"page_size": 1}, headers=ALICE).json()["data"]["items"][0]["title"] == "a\x00b"


@pytest.mark.parametrize("media", ["application/json;", "application/JSON", "application/json; charset=utf-8", ""])
def test_other_spellings_of_json_are_read(world: World, media: str) -> None:
    response = world.api.post(TASKS, content=dumps(TASK), headers={**ALICE, "Content-Type": media})
    assert response.status_code == 200, response.text


# ── paths and queries ────────────────────────────────────────────────────────────────────────────────────────────────

PATHS = {
    "an escaped slash": ("/api/v1/tasks/a%2Fb", 404),
    "an escaped slash in a known path": ("/api/v1%2Ftasks/", 404),
    "an escaped way up": ("/api/v1/tasks/%2e%2e/wallet/", 404),
    "an escaped way up as an id": ("/api/v1/tasks/..%2f..%2fwallet", 404),
    "a way up": ("/api/v1/tasks/../wallet/", 404),
    "a way up as an id": ("/api/v1/tasks/..", 404),
    "a way out": ("/../../../../etc/passwd", 404),
    "two slashes first": ("//api/v1/tasks/", 404),
    "two slashes inside": ("/api//v1/tasks/", 404),
    "two slashes last": ("/api/v1/tasks//", 404),
    "no id": ("/api/v1/tasks//close", 404),
    "a lone percent sign": ("/api/v1/tasks/%", 404),
    "a percent sign and no digits": ("/api/v1/tasks/%zz", 404),
    "half an escape": ("/api/v1/tasks/%4", 404),
    "an escaped byte that is no UTF-8": ("/api/v1/tasks/%ff", 422),
    "an escaped surrogate": ("/api/v1/tasks/%ed%a0%80", 422),
    "an escaped NUL": ("/api/v1/tasks/%00", 404),
    "an escaped line break": ("/api/v1/tasks/%0d%0aX-Evil:%20yes", 404),
    "an escaped question mark": ("/api/v1/tasks/%3Fpage=1", 404),
    "an unknown id": (f"/api/v1/tasks/{NOBODY}", 404),
    "a malformed id": ("/api/v1/tasks/42", 404),
    "an id in capitals": (f"/api/v1/tasks/{ALICES_TASK.replace('1', 'A', 1)}", 404),
    "a very long id": ("/api/v1/tasks/" + "a" * 60_000, 404),
    "30,000 segments": ("/api/v1/tasks" + "/a" * 30_000, 404),
    "the root": ("/", 404),
    "an asterisk": ("*", 404),
    "another case": ("/API/v1/tasks/", 404),
    "a path that only looks like the control plane": ("/_tasktwinned", 404),
    "page zero": ("/api/v1/tasks/?page=0", 422),
    "a negative page": ("/api/v1/tasks/?page=-1", 422),
    "a page of 20 digits": ("/api/v1/tasks/?page=99999999999999999999", 422),
    "a page with an exponent": ("/api/v1/tasks/?page=1e2", 422),
    "a page with an underscore": ("/api/v1/tasks/?page=1_0", 422),
    "a page in other digits": ("/api/v1/tasks/?page=%D9%A1", 422),
    "an empty page": ("/api/v1/tasks/?page=", 422),
    "NaN pages": ("/api/v1/tasks/?page=NaN", 422),
    "a page size of a million": ("/api/v1/tasks/?page_size=1000000", 422),
    "an unknown state": ("/api/v1/tasks/?status=lost", 422),
    "a state of NUL": ("/api/v1/tasks/?status=%00", 422),
    "a query that is no UTF-8": ("/api/v1/tasks/hall?keyword=%ff%fe", 422),
}
BROKEN_PATHS = {
    "a raw byte above ASCII": b"/api/v1/tasks/\xff",
    "a raw NUL": b"/api/v1/tasks/\x00",
    "a space": b"/api/v1/tasks/a b",
    "nothing": b"",
    "no slash first": b"api/v1/tasks/",
    "longer than 64 KiB": b"/api/v1/tasks/" + b"a" * 70_000,
    "a query longer than 64 KiB": b"/api/v1/tasks/?keyword=" + b"a" * 70_000,
    "a host and no path": b"http://elsewhere",
}


@pytest.mark.parametrize(("target", "status"), PATHS.values(), ids=PATHS)
def test_a_bad_path_is_refused_in_the_apis_shape(world: World, target: str, status: int) -> None:
    reply = world.ask("GET", target, ALICE)
    assert reply.status == status, reply
    assert_in_the_apis_shape(reply.status, reply.headers["content-type"], reply.json())
    assert "x-evil" not in reply.headers


@pytest.mark.parametrize("target", BROKEN_PATHS.values(), ids=BROKEN_PATHS)
def test_a_path_that_is_no_http_is_refused_by_http(world: World, target: bytes) -> None:
    assert world.ask("GET", target, ALICE).status == 400
    assert world.entries() == []


def operations_with_an_id() -> list[Operation]:
    """Every operation whose path names something."""
    return [each for each in load("uumit").rules.contract.operations.values() if "{" in each.path]


IDENTIFIERS = {
    "unknown": NOBODY,
    "malformed": "nope",
    "dots": "..",
    "slash": "%2F",
    "NUL": "%00",
    "no UTF-8": "%ff",
    "long": "a" * 1_000,
}


@pytest.mark.parametrize("identifier", IDENTIFIERS.values(), ids=IDENTIFIERS)
@pytest.mark.parametrize("operation", operations_with_an_id(), ids=lambda each: each.id)
def test_an_unknown_or_malformed_id_is_refused(world: World, operation: Operation, identifier: str) -> None:
    content = operation.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = dumps(content["example"]) if content else b""
    template = operation.path.replace("{task_id}", ADAS_TASK if "{app_id}" in operation.path else identifier)
    for name in ("app_id", "skill_id", "tx_id", "cap_id"):
        template = template.replace(f"{{{name}}}", identifier)
    reply = world.ask(operation.method, template, {**ADA, **JSON}, body)
    assert reply.status in (404, 422), reply
    assert_in_the_apis_shape(reply.status, reply.headers["content-type"], reply.json())


# ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD_BEARER, BAD_BEARER = ("Authorization", "Bearer human-alice-token"), ("Authorization", "Bearer nobody")
GOOD_KEY, BAD_KEY = ("X-Api-Key", ADA["X-Api-Key"]), ("X-Api-Key", "uuagent_sk_nobody")
GOOD_USER, BAD_USER = ("X-Platform-User-Id", ADA["X-Platform-User-Id"]), ("X-Platform-User-Id", NOBODY)

TWICE: dict[str, tuple[Lines, int, int]] = {
    "a good bearer token first": ([GOOD_BEARER, BAD_BEARER], 200, 0),
    "a bad bearer token first": ([BAD_BEARER, GOOD_BEARER], 401, 1002),
    "a good key first": ([GOOD_KEY, BAD_KEY, GOOD_USER], 200, 0),
    "a bad key first": ([BAD_KEY, GOOD_KEY, GOOD_USER], 401, 1006),
    "an empty key first, and a token": ([("X-Api-Key", ""), GOOD_KEY, GOOD_USER, BAD_BEARER], 401, 1002),
    "a good user first": ([GOOD_KEY, GOOD_USER, BAD_USER], 200, 0),
    "a bad user first": ([GOOD_KEY, BAD_USER, GOOD_USER], 403, 1007),
    "both channels": ([GOOD_BEARER, GOOD_KEY, GOOD_USER], 200, 0),
    "a bad key and a good token": ([BAD_KEY, GOOD_USER, GOOD_BEARER], 401, 1006),
}
EMPTY: dict[str, tuple[Lines, int]] = {
    "nothing at all": ([], 1002),
    "an empty Authorization": ([("Authorization", "")], 1002),
    "a scheme without a token": ([("Authorization", "Bearer")], 1002),
    "a scheme and blanks": ([("Authorization", "Bearer    ")], 1002),
    "a token without a scheme": ([("Authorization", "human-alice-token")], 1002),
    "another scheme": ([("Authorization", "Basic aHVtYW4tYWxpY2UtdG9rZW4=")], 1002),
    "a token of strange bytes": ([("Authorization", "Bearer \xff\xfe")], 1002),
    "a very long token": ([("Authorization", "Bearer " + "x" * 60_000)], 1002),
    "an empty key": ([("X-Api-Key", ""), GOOD_USER], 1002),
    "an empty user": ([GOOD_KEY, ("X-Platform-User-Id", "")], 1002),
    "a key and no user": ([GOOD_KEY], 1002),
    "a user and no key": ([GOOD_USER], 1002),
}


@pytest.mark.parametrize(("lines", "status", "code"), TWICE.values(), ids=TWICE)
def test_of_a_credential_sent_twice_the_first_counts(world: World, lines: Lines, status: int, code: int) -> None:
    reply = world.ask("GET", "/api/v1/wallet/", lines)
    assert (reply.status, reply.json()["code"]) == (status, code), reply


@pytest.mark.parametrize(("lines", "code"), EMPTY.values(), ids=EMPTY)
def test_an_empty_or_strange_credential_is_none(world: World, lines: Lines, code: int) -> None:
    before = world.evidence()
    reply = world.ask("POST", TASKS, [*lines, *JSON.items()], dumps(TASK))
    assert (reply.status, reply.json()["code"]) == (401, code), reply
    assert world.evidence() == before


def test_of_two_content_types_the_first_counts(world: World) -> None:
    types = [("Content-Type", "text/plain"), ("Content-Type", "application/json")]
    assert world.ask("POST", TASKS, [*ALICE.items(), *types], dumps(TASK)).status == 415
    assert world.ask("POST", TASKS, [*ALICE.items(), *types[::-1]], dumps(TASK)).status == 200


def test_two_idempotency_keys_are_one_key_of_both(world: World) -> None:
    both = [*ALICE.items(), *JSON.items(), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    first, again = (world.ask("POST", TASKS, both, dumps(TASK)) for _ in range(2))
    assert first.body == again.body
    assert again.headers["tasktwin-reason"] == "replay"
    alone = world.ask("POST", TASKS, both[:-1], dumps(TASK))
    assert alone.json()["data"]["id"] != first.json()["data"]["id"]


@pytest.mark.parametrize("key", ["k" * 256, '"' + "k" * 300 + '"'], ids=["too long", "too long in quotes"])
def test_a_bad_idempotency_key_is_refused_and_remembers_nothing(world: World, key: str) -> None:
    before = world.evidence()
    reply = world.ask("POST", TASKS, {**ALICE, **JSON, "Idempotency-Key": key}, dumps(TASK))
    assert (reply.status, reply.json()["code"]) == (422, 1008)
    assert world.evidence() == before


def test_a_refused_request_may_be_mended_under_the_same_idempotency_key(world: World) -> None:
    headers = {**ALICE, **JSON, "Idempotency-Key": "mend"}
    assert world.api.post(TASKS, content=b"{", headers=headers).status_code == 400
    assert world.api.post(TASKS, json=TASK, headers=headers).status_code == 200
    assert world.api.post(TASKS, content=b"{", headers=headers).json()["code"] == 1008, "another request, same key"


BROKEN_HEADERS: dict[str, Lines] = {
    "two lengths that differ": [("Content-Length", "5"), ("Content-Length", "6")],
    "a negative length": [("Content-Length", "-1")],
    "a length of 30 digits": [("Content-Length", "9" * 30)],
    "a length in words": [("Content-Length", "five")],
    "a length and chunks": [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
    "an unknown transfer encoding": [("Transfer-Encoding", "gzip")],
    "a NUL in a name": [("X\x00", "1")],
    "a NUL in a value": [("X", "\x00")],
    "a space in a name": [("X Y", "1")],
    "no name": [("", "1")],
}


@pytest.mark.parametrize("lines", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS)
def test_headers_that_are_no_http_are_refused_by_http(world: World, lines: Lines) -> None:
    before = world.evidence()
    assert world.ask("POST", TASKS, [*ALICE.items(), *JSON.items(), *lines]).status == 400
    assert world.evidence() == before
    assert world.entries() == []


@pytest.mark.parametrize(
    "lines",
    [[("X-Long", "a" * 70_000)], [(f"X-{number}", "y" * 60) for number in range(2_000)]],
    ids=["one very long", "very many"],
)
def test_headers_larger_than_64_kib_are_refused(world: World, lines: Lines) -> None:
    assert_problem(world.ask("GET", TASKS, [*ALICE.items(), *lines]), 431)
    assert world.entries() == []


def test_headers_below_the_limit_do_no_harm(world: World) -> None:
    assert world.ask("GET", TASKS, {**ALICE, "X-Long": "a" * 60_000, "X-Strange": "\xff\x80"}).status == 200


# ── methods ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ALLOWED = {
    TASKS: "GET, HEAD, OPTIONS, POST",
    TASKS + ALICES_TASK: "GET, HEAD, OPTIONS, PUT",
    f"{TASKS}{ALICES_TASK}/close": "OPTIONS, POST",
    "/a2a": "OPTIONS, POST",
    "/openapi.json": "GET, HEAD, OPTIONS",
}


@pytest.mark.parametrize(("path", "allowed"), ALLOWED.items())
def test_options_names_the_methods_and_has_no_body(world: World, path: str, allowed: str) -> None:
    reply = world.ask("OPTIONS", path)
    assert (reply.status, reply.headers["allow"], reply.body) == (204, allowed, b"")
    assert "content-length" not in reply.headers


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "DELETE", "PATCH", "CONNECT", "QUERY"])
def test_a_method_that_a_path_does_not_take_is_refused(world: World, method: str) -> None:
    reply = world.ask(method, TASKS, ALICE)
    assert (reply.status, reply.headers["allow"]) == (405, ALLOWED[TASKS])
    assert_in_the_apis_shape(405, reply.headers["content-type"], reply.json())


@pytest.mark.parametrize("method", ["FOO", "get", "GE T", "G\x00T", "G" * 10_000])
def test_a_method_that_is_no_http_is_refused_by_http(world: World, method: str) -> None:
    assert world.ask(method, TASKS, ALICE).status == 400
    assert world.entries() == []


HEADED = {
    "a list": (TASKS, ALICE),
    "a row": (TASKS + ALICES_TASK, ALICE),
    "the document": ("/openapi.json", {}),
    "an unknown path": ("/nope", ALICE),
    "an unknown row": (TASKS + NOBODY, ALICE),
    "a stranger": (TASKS, {}),
}


@pytest.mark.parametrize(("path", "headers"), HEADED.values(), ids=HEADED)
def test_head_has_the_headers_of_get_and_no_body(world: World, path: str, headers: dict[str, str]) -> None:
    got, headed = world.ask("GET", path, headers), world.ask("HEAD", path, headers)
    assert (headed.status, headed.body) == (got.status, b"")
    assert {**headed.headers, "date": ""} == {**got.headers, "date": ""}


def test_head_is_refused_where_there_is_no_get(world: World) -> None:
    reply = world.ask("HEAD", "/a2a", ADA)
    assert (reply.status, reply.headers["allow"], reply.body) == (405, "OPTIONS, POST", b"")


# ── JSON-RPC ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CALL: dict[str, Json] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tasks/send",
    "params": {"capability_id": "cap_ocr_invoice_v1"},
}
RPC = {
    "not JSON": (b"{", -32700),
    "nothing": (b"", -32700),
    "not UTF-8": (b'{"jsonrpc": "\xff"}', -32700),
    "10,000 levels": (b"[" * 10_000, -32700),
    "a batch": (dumps([CALL]), -32600),
    "an empty batch": (b"[]", -32600),
    "a number": (b"1", -32600),
    "null": (b"null", -32600),
    "another version": (dumps({**CALL, "jsonrpc": "1.0"}), -32600),
    "no method": (dumps({"jsonrpc": "2.0", "id": 1}), -32600),
    "a method that is no string": (dumps({**CALL, "method": 1}), -32600),
    "parameters that are null": (dumps({**CALL, "params": None}), -32600),
    "an id that is an object": (dumps({**CALL, "id": {}}), -32600),
    "an unknown method": (dumps({**CALL, "method": "tasks/\x00"}), -32601),
    "positional parameters": (dumps({**CALL, "params": ["cap_ocr_invoice_v1"]}), -32602),
    "no parameters": (dumps({**CALL, "params": {}}), -32602),
    "an unknown task": (dumps({**CALL, "method": "tasks/get", "params": {"id": "nope"}}), -32001),
}


@pytest.mark.parametrize(("body", "code"), RPC.values(), ids=RPC)
def test_bad_json_rpc_is_answered_in_json_rpc(world: World, body: bytes, code: int) -> None:
    before = world.evidence()
    response = world.api.post("/a2a", content=body, headers={**ADA, **JSON})
    assert response.status_code == 200
    assert (response.json()["jsonrpc"], response.json()["error"]["code"]) == ("2.0", code)
    assert world.evidence() == before


def test_a_notification_gets_no_answer_even_if_it_is_bad(world: World) -> None:
    before = world.evidence()
    silent = dumps({"jsonrpc": "2.0", "method": "tasks/send", "params": {"capability_id": "nope"}})
    response = world.api.post("/a2a", content=silent, headers={**ADA, **JSON})
    assert (response.status_code, response.content) == (204, b"")
    assert world.evidence() == before


@pytest.mark.parametrize("headers", [JSON, {**ADA, "Content-Type": "text/xml"}], ids=["nobody", "another media type"])
def test_what_is_no_json_rpc_yet_is_refused_in_the_apis_shape(world: World, headers: dict[str, str]) -> None:
    response = world.api.post("/a2a", content=dumps(CALL), headers=headers)
    assert response.status_code in (401, 415)
    assert_in_the_apis_shape(response.status_code, response.headers["content-type"], response.json())


@pytest.mark.parametrize("first", ["rest", "rpc"])
def test_an_idempotency_key_of_rest_and_one_of_json_rpc_never_meet(world: World, first: str) -> None:
    headers = {**OTTO, "Idempotency-Key": "same"}
    params = {"capability_id": "cap_market_report", "booked_hours": None}
    calls = {
        "rest": lambda: world.api.post("/api/v1/transactions", json=params, headers=headers),
        "rpc": lambda: world.api.post("/a2a", json={**CALL, "params": params}, headers=headers),
    }
    kinds = sorted(calls, key=lambda kind: kind != first)
    answers = [calls[kind]() for kind in [*kinds, *kinds]]
    assert [each.status_code for each in answers] == [200] * 4, [each.text for each in answers]
    assert [each.headers["tasktwin-reason"] == "replay" for each in answers] == [False, False, True, True]


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bad_requests_on_one_connection_do_not_disturb_the_good_ones(world: World) -> None:
    lines = [("Tasktwin-World", world.name), *ALICE.items(), *JSON.items()]
    good = message("POST", TASKS, lines, dumps(TASK))
    bad = message("POST", TASKS, lines, b"{")
    last = message("GET", "/nope", [("Connection", "close"), *lines])
    answers = replies(talk(world.origin, good + bad + good + bad + last))
    assert [each.status for each in answers] == [200, 400, 200, 400, 404]
    assert len(world.rows("task")) == 18
