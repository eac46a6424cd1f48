"""The agent endpoint: JSON-RPC 2.0 to the letter, on the same transactions as REST (S3, D-a2a)."""

from typing import Any

import pytest
from tests.uumit.calls import TRANSACTIONS, UNKNOWN, Data, buy, data, everything, get, page_of, post, seeded, status_of

from tasktwin import Twin
from tasktwin.server.twin import Answer

PARSE, REQUEST, METHOD, PARAMS, NOT_FOUND, NOT_CANCELABLE = -32700, -32600, -32601, -32602, -32001, -32002
SEND = {"jsonrpc": "2.0", "id": "req-001", "method": "tasks/send", "params": {"capability_id": "cap_ocr_invoice_v1"}}


def ask(twin: Twin, request: Any, who: str = "agent_ada", **headers: str) -> Answer:
    return twin.request("POST", "/a2a", json=request, headers=headers, as_=who)


def rpc(twin: Twin, method: str, params: Any, who: str = "agent_ada") -> Data:
    """The answer to one request with an id."""
    answer = ask(twin, {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}, who)
    said: Data = answer.json()
    assert (answer.status, said["jsonrpc"], said["id"]) == (200, "2.0", 7)
    assert len(said) == 3
    return said


def without(field: str) -> Data:
    return {key: value for key, value in SEND.items() if key != field}


UNREADABLE = {
    "nothing": b"",
    "half an object": b'{"jsonrpc": "2.0", "id": 1',
    "no utf-8": b'{"jsonrpc": "2.0", "id": "\xff"}',
    "not a number": b'{"jsonrpc": "2.0", "id": NaN}',
    "a lone surrogate": b'{"jsonrpc": "2.0", "id": "\\ud800"}',
    "nested too deep": b"[" * 5000 + b"]" * 5000,
    "half a batch": b'[{"jsonrpc": "2.0", "method": "tasks/get"}, {"jsonrpc"',
    "words": b"tasks/get",
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_json_is_a_parse_error_without_an_id(twin: Twin, raw: bytes) -> None:
    answer = twin.request("POST", "/a2a", content=raw, headers={"Content-Type": "application/json"}, as_="agent_ada")
    said = answer.json()
    assert (answer.status, said["error"]["code"], said["error"]["message"]) == (200, PARSE, "Parse error")
    assert (said["id"], "result" in said) == (None, False)


NO_REQUEST = {
    "an empty batch": [],
    "a batch of one": [SEND],
    "a batch of notifications": [without("id")],
    "a batch of numbers": [1, 2],
    "null": None,
    "a number": 1,
    "text": "tasks/send",
    "an empty object": {},
    "no version": without("jsonrpc"),
    "another version": {**SEND, "jsonrpc": "1.0"},
    "a number as version": {**SEND, "jsonrpc": 2.0},
    "no method": without("method"),
    "a number as method": {**SEND, "method": 1},
    "null as method": {**SEND, "method": None},
    "text as params": {**SEND, "params": "bar"},
    "null as params": {**SEND, "params": None},
    "a number as params": {**SEND, "params": 1},
    "true as id": {**SEND, "id": True},
    "a list as id": {**SEND, "id": [1]},
    "an object as id": {**SEND, "id": {"a": 1}},
    "an invalid notification": {**without("id"), "jsonrpc": "1.0"},
}


@pytest.mark.parametrize("request_", NO_REQUEST.values(), ids=NO_REQUEST)
def test_what_is_no_request_is_refused_without_an_id_and_without_effect(twin: Twin, request_: Any) -> None:
    before = everything(twin)
    content = b"null" if request_ is None else b""
    headers = {"Content-Type": "application/json"} if request_ is None else {}
    said = twin.request("POST", "/a2a", json=request_, content=content, headers=headers, as_="agent_ada").json()
    assert (said["error"]["code"], said["error"]["message"], said["id"]) == (REQUEST, "Invalid Request", None)
    assert everything(twin) == before


@pytest.mark.parametrize(
    "method", ["tasks/list", "message/send", "tasks/Send", "", "rpc.discover", "TASKS/GET", "tasks/send "]
)
def test_an_unknown_method_is_not_found(twin: Twin, method: str) -> None:
    assert rpc(twin, method, {})["error"]["code"] == METHOD
    assert rpc(twin, method, [])["error"]["message"] == "Method not found"


BAD_PARAMS: dict[str, tuple[str, Any]] = {
    "send, nothing": ("tasks/send", {}),
    "send, by position": ("tasks/send", ["cap_ocr_invoice_v1"]),
    "send, a number": ("tasks/send", {"capability_id": 1}),
    "send, null": ("tasks/send", {"capability_id": None}),
    "send, no hours": ("tasks/send", {"capability_id": "cap_ocr_invoice_v1", "booked_hours": 0}),
    "send, unknown capability": ("tasks/send", {"capability_id": "cap_nothing"}),
    "send, hours missing": ("tasks/send", {"capability_id": "cap_gpu_hour"}),
    "get, nothing": ("tasks/get", {}),
    "get, by position": ("tasks/get", [UNKNOWN]),
    "get, a number": ("tasks/get", {"id": 1}),
    "cancel, nothing": ("tasks/cancel", {}),
    "cancel, null": ("tasks/cancel", {"id": None}),
}


@pytest.mark.parametrize(("method", "params"), BAD_PARAMS.values(), ids=BAD_PARAMS)
def test_bad_params_are_told_with_a_detail(twin: Twin, method: str, params: Any) -> None:
    who = "agent_otto" if "gpu" in str(params) else "agent_ada"
    error = rpc(twin, method, params, who)["error"]
    assert (error["code"], error["message"]) == (PARAMS, "Invalid params")
    assert error["data"]["detail"]


def test_params_may_be_left_out_and_are_then_none(twin: Twin) -> None:
    assert ask(twin, without("params")).json()["error"]["code"] == PARAMS


IDS = ["req-001", "", "é ✓ 任务", '"', 0, 1, -1, 2**53, 2**64 - 1, -(2**63), 1.5, -0.25, None]


@pytest.mark.parametrize("key", IDS, ids=repr)
@pytest.mark.parametrize("method", ["tasks/get", "tasks/nothing"])
def test_the_id_comes_back_as_it_was_sent(twin: Twin, key: object, method: str) -> None:
    answer = ask(twin, {"jsonrpc": "2.0", "id": key, "method": method, "params": {"id": seeded(4, 1)}})
    said = answer.json()
    assert (answer.status, said["id"], type(said["id"])) == (200, key, type(key))


@pytest.mark.parametrize(
    "more", [{}, {"extra": 1}, {"params": {"capability_id": "cap_ocr_invoice_v1", "booked_hours": None}}]
)
def test_a_notification_is_obeyed_and_not_answered(twin: Twin, more: Data) -> None:
    before = page_of(twin, "agent_ada", TRANSACTIONS)
    answer = ask(twin, {**without("id"), **more})
    assert (answer.status, answer.content) == (204, b"")
    assert len(page_of(twin, "agent_ada", TRANSACTIONS) - before) == 1


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tasks/nothing", {}),
        ("tasks/get", {}),
        ("tasks/cancel", {"id": UNKNOWN}),
        ("tasks/cancel", {"id": seeded(4, 5)}),
    ],
)
def test_a_notification_that_fails_is_not_answered_either(twin: Twin, method: str, params: Data) -> None:
    before = everything(twin)
    answer = ask(twin, {"jsonrpc": "2.0", "method": method, "params": params})
    assert (answer.status, answer.content) == (204, b"")
    assert everything(twin) == before


def test_a_notification_cancels(twin: Twin) -> None:
    ask(twin, {"jsonrpc": "2.0", "method": "tasks/cancel", "params": {"id": seeded(4, 2)}})
    assert status_of(twin, "transaction", seeded(4, 2)) == "cancelled_by_buyer"


# The same transactions as REST


def test_what_is_sent_here_is_read_there(twin: Twin) -> None:
    task = rpc(twin, "tasks/send", {"capability_id": "cap_ocr_invoice_v1"})["result"]
    row = data(get(twin, "agent_ada", f"{TRANSACTIONS}/{task['id']}"))
    assert (row["status"], task["status"]["state"]) == ("pending_freeze", "submitted")
    assert task["metadata"] == {"transaction": row}


def test_what_is_bought_there_is_read_here(twin: Twin) -> None:
    order = buy(twin)
    data(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/freeze"))
    for who in ("agent_ada", "agent_otto"):
        assert rpc(twin, "tasks/get", {"id": order}, who)["result"]["metadata"]["transaction"]["status"] == "frozen"


STATES = ["submitted", "submitted", "working", "working", "completed", "failed", "canceled"]


@pytest.mark.parametrize(("number", "state"), [*enumerate(STATES, 1)])
def test_each_status_has_its_a2a_state(twin: Twin, number: int, state: str) -> None:
    assert rpc(twin, "tasks/get", {"id": seeded(4, number)})["result"]["status"]["state"] == state


@pytest.mark.parametrize(
    ("number", "cancelled"), [(1, True), (2, True), (3, False), (4, False), (5, False), (6, False)]
)
def test_cancelling_obeys_the_same_lifecycle(twin: Twin, number: int, *, cancelled: bool) -> None:
    said = rpc(twin, "tasks/cancel", {"id": seeded(4, number)})
    if cancelled:
        assert said["result"]["status"]["state"] == "canceled"
    else:
        assert said["error"]["code"] == NOT_CANCELABLE
    assert (status_of(twin, "transaction", seeded(4, number)) == "cancelled_by_buyer") == cancelled


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel"])
@pytest.mark.parametrize(("who", "key"), [("agent_ada", UNKNOWN), ("agent_ada", "x"), ("human_alice", seeded(4, 1))])
def test_an_unknown_task_and_anothers_are_not_found(twin: Twin, method: str, who: str, key: str) -> None:
    assert rpc(twin, method, {"id": key}, who)["error"]["code"] == NOT_FOUND


def test_only_the_buyer_cancels(twin: Twin) -> None:
    assert "error" in rpc(twin, "tasks/cancel", {"id": seeded(4, 1)}, "agent_otto")
    assert status_of(twin, "transaction", seeded(4, 1)) == "pending_freeze"


def test_sending_moves_no_money(twin: Twin) -> None:
    before = twin.read("purse", "a0000000-0000-4000-8000-0000000000a1")
    rpc(twin, "tasks/send", {"capability_id": "cap_ocr_invoice_v1"})
    assert twin.read("purse", "a0000000-0000-4000-8000-0000000000a1") == before


@pytest.mark.parametrize("who", ["human_alice", "agent_otto"])
def test_both_channels_are_taken(twin: Twin, who: str) -> None:
    assert rpc(twin, "tasks/send", {"capability_id": "cap_market_report"}, who)["result"]["id"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_endpoint_takes_only_post(twin: Twin, method: str) -> None:
    answer = twin.request(method, "/a2a", as_="agent_ada")
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")


# Idempotency


def test_a_repeated_send_makes_one_transaction_and_echoes_the_new_id(twin: Twin) -> None:
    answers = [ask(twin, {**SEND, "id": key}, **{"Idempotency-Key": "k"}) for key in (1, 2)]
    assert [answer.json()["id"] for answer in answers] == [1, 2]
    assert answers[0].json()["result"] == answers[1].json()["result"]
    assert answers[1].headers["tasktwin-reason"] == "replay"


def test_another_send_with_the_same_key_is_refused(twin: Twin) -> None:
    ask(twin, SEND, **{"Idempotency-Key": "k"})
    again = ask(twin, {**SEND, "params": {"capability_id": "cap_translate_v2"}}, **{"Idempotency-Key": "k"})
    assert again.json()["error"]["code"] == PARAMS


@pytest.mark.parametrize("first", ["rest", "agent"])
def test_rest_and_the_agent_endpoint_do_not_share_keys(twin: Twin, first: str) -> None:
    body = {"capability_id": "cap_ocr_invoice_v1", "booked_hours": None}
    doors: list[tuple[str, Data]] = [(TRANSACTIONS, body), ("/a2a", {**SEND, "params": body})]
    for path, sent in doors if first == "rest" else doors[::-1]:
        answer = post(twin, "agent_ada", path, sent, key="k")
        assert (answer.status, answer.headers["tasktwin-reason"] != "replay") == (200, True)


def test_reading_with_a_key_is_never_answered_from_memory(twin: Twin) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": seeded(4, 2)}}
    states = []
    for _ in range(2):
        states.append(ask(twin, request, **{"Idempotency-Key": "k"}).json()["result"]["status"]["state"])
        post(twin, "agent_otto", f"{TRANSACTIONS}/{seeded(4, 2)}/accept")
    assert states == ["submitted", "working"]
