"""JSON-RPC 2.0, by the sections of https://www.jsonrpc.org/specification."""

from pathlib import Path

import pytest
from tests.provider.small import edited, write

from tasktwin import Twin
from tasktwin.exchange.twin import Answer
from tasktwin.wire import Json, dumps

PARSE, REQUEST, METHOD, PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    return Twin(str(write(tmp_path)), now="2026-01-01T12:00:00Z", clock="frozen")


def send(twin: Twin, body: Json, who: str = "ann", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else dumps(body)
    return twin.request(
        "POST", "/rpc", content=content, headers={"Content-Type": "application/json", **headers}, as_=who
    )


def call(method: str, **more: Json) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": method, **more}


GET = call("jobs/get", params={"id": "j1"})


def test_4_a_request_is_answered_with_its_result(twin: Twin) -> None:
    answer = send(twin, GET)
    assert answer.status == 200
    assert set(answer.json()) == {"jsonrpc", "id", "result"}
    assert answer.json()["result"] == twin.request("GET", "/jobs/j1", as_="ann").json()


@pytest.mark.parametrize("key", ["a", "", 0, -1, 1.5, 2**63, None], ids=repr)
def test_5_the_answer_carries_the_id_as_it_was_sent(twin: Twin, key: Json) -> None:
    answer = send(twin, {**GET, "id": key}).json()
    assert (answer["jsonrpc"], answer["id"], type(answer["id"])) == ("2.0", key, type(key))
    assert "error" not in answer


@pytest.mark.parametrize(
    ("body", "code", "section"),
    [
        (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', PARSE, "5.1"),
        (b"\xff", PARSE, "5.1"),
        (b"", PARSE, "5.1"),
        (b"[" * 1_000, PARSE, "5.1"),
        (b'{"jsonrpc": "2.0", "method": NaN}', PARSE, "5.1"),
        ([], REQUEST, "6"),
        ([1, 2], REQUEST, "6"),
        ([GET], REQUEST, "6: batches are refused as a whole"),
        (1, REQUEST, "4"),
        ("x", REQUEST, "4"),
        (None, REQUEST, "4"),
        ({}, REQUEST, "4"),
        ({"id": 1, "method": "jobs/get"}, REQUEST, "4: jsonrpc is missing"),
        ({**GET, "jsonrpc": "1.0"}, REQUEST, "4: jsonrpc"),
        ({**GET, "jsonrpc": 2.0}, REQUEST, "4: jsonrpc"),
        ({"jsonrpc": "2.0", "id": 1}, REQUEST, "4: method is missing"),
        ({**GET, "method": 1}, REQUEST, "4: method"),
        ({**GET, "params": "bar"}, REQUEST, "4.2: params is structured"),
        ({**GET, "params": None}, REQUEST, "4.2: params is structured"),
        ({**GET, "id": {}}, REQUEST, "4: id"),
        ({**GET, "id": [1]}, REQUEST, "4: id"),
        ({**GET, "id": True}, REQUEST, "4: id"),
    ],
    ids=lambda case: repr(case)[:40],
)
def test_5_1_what_is_no_request_is_answered_with_an_error_and_without_an_id(
    twin: Twin, body: Json, code: int, section: str
) -> None:
    answer = send(twin, body)
    assert (answer.status, answer.json()["error"]["code"], answer.json()["id"]) == (200, code, None), section
    assert set(answer.json()) == {"jsonrpc", "id", "error"}


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (call("jobs/fly"), METHOD, "Method not found"),
        (call("rpc.discover"), METHOD, "Method not found"),
        (call(""), METHOD, "Method not found"),
        (call("jobs/get"), PARAMS, "Invalid params"),
        (call("jobs/get", params={}), PARAMS, "Invalid params"),
        (call("jobs/get", params={"id": 1}), PARAMS, "Invalid params"),
        (call("jobs/get", params=["j1"]), PARAMS, "Invalid params"),
        (call("jobs/create", params={"title": 5}), PARAMS, "Invalid params"),
        (call("jobs/create", params={"title": "!"}), PARAMS, "Invalid params"),
        (call("jobs/get", params={"id": "j9"}), -32001, "Job not found"),
        (call("jobs/delete", params={"id": "j3"}), INTERNAL, "Internal error"),
    ],
    ids=lambda case: repr(case)[:60],
)
def test_5_1_a_request_that_fails_is_answered_with_its_id_and_a_code(
    twin: Twin, request_: Json, code: int, message: str
) -> None:
    answer = send(twin, request_)
    error = answer.json()["error"]
    assert (answer.status, answer.json()["id"], error["code"], error["message"]) == (200, 1, code, message)
    assert isinstance(error["data"]["detail"], str)
    assert twin.world.store.sizes() == {"token": 2, "job": 3}, "nothing was done"


@pytest.mark.parametrize(
    ("method", "params", "rows"),
    [("jobs/delete", {"id": "j1"}, 2), ("jobs/delete", {"id": "j9"}, 3), ("jobs/fly", {}, 3), ("jobs/get", {}, 3)],
)
def test_4_1_a_notification_is_obeyed_and_never_answered(twin: Twin, method: str, params: Json, rows: int) -> None:
    answer = send(twin, {"jsonrpc": "2.0", "method": method, "params": params})
    assert (answer.status, answer.content) == (204, b"")
    assert twin.world.store.sizes()["job"] == rows


def test_a_method_does_what_its_operation_does(twin: Twin) -> None:
    made = send(twin, call("jobs/create", params={"title": "Build"})).json()["result"]
    assert twin.request("GET", f"/jobs/{made['id']}", as_="ben").json() == made
    assert made["owner"] == "ann"
    assert twin.world.taken["job", "create"] == 1
    again = send(twin, call("jobs/create", params={"title": "Build"})).json()
    assert again["error"]["data"]["detail"] == "there is such a job already"
    assert twin.world.taken["job", "create"] == 1


def test_unknown_members_are_nobodys_business(twin: Twin) -> None:
    assert "result" in send(twin, {**GET, "trace": "x"}).json()


def test_callers_sign_in_as_everywhere(twin: Twin) -> None:
    answer = twin.request("POST", "/rpc", json=GET)
    assert (answer.status, answer.json()["error"]) == (401, "not_authenticated")


def test_an_answer_with_a_refusal_beside_it_is_an_error_in_json_rpc(tmp_path: Path) -> None:
    owner = edited(
        "provider.yaml",
        "      invalid: {code: -32602",
        "      forbidden: {code: -32002, message: Not yours, provenance: stated D}\n      invalid: {code: -32602",
    )
    twin = Twin(str(write(tmp_path, owner)))
    error = send(twin, call("jobs/delete", params={"id": "j3"})).json()["error"]
    assert (error["code"], error["message"]) == (-32002, "Not yours")
