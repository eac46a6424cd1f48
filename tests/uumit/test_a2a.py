"""The agent endpoint: A2A on the same transactions as REST (S3, D-a2a). Its JSON-RPC is ``test_jsonrpc.py``'s."""

from typing import Any

import pytest
from tests.uumit.calls import TRANSACTIONS, UNKNOWN, Data, buy, data, get, post, seeded, status_of

from tasktwin import Twin
from tasktwin.exchange.twin import Answer

PARAMS, NOT_FOUND, NOT_CANCELABLE = -32602, -32001, -32002
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


BAD_PARAMS: dict[str, tuple[str, Any]] = {
    "send, nothing": ("tasks/send", {}),
    "send, a number": ("tasks/send", {"capability_id": 1}),
    "send, null": ("tasks/send", {"capability_id": None}),
    "send, no hours": ("tasks/send", {"capability_id": "cap_ocr_invoice_v1", "booked_hours": 0}),
    "send, unknown capability": ("tasks/send", {"capability_id": "cap_nothing"}),
    "send, hours missing": ("tasks/send", {"capability_id": "cap_gpu_hour"}),
    "cancel, nothing": ("tasks/cancel", {}),
    "cancel, null": ("tasks/cancel", {"id": None}),
}


@pytest.mark.parametrize(("method", "params"), BAD_PARAMS.values(), ids=BAD_PARAMS)
def test_bad_params_are_told_with_a_detail(twin: Twin, method: str, params: Any) -> None:
    who = "agent_otto" if "gpu" in str(params) else "agent_ada"
    error = rpc(twin, method, params, who)["error"]
    assert (error["code"], error["message"]) == (PARAMS, "Invalid params")
    assert error["data"]["detail"]


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


@pytest.mark.parametrize(
    "more",
    [
        {"booked_hours": None},
        {"message": {"parts": [{"type": "text", "text": "Read it."}]}},
        {"metadata": {"uuagent": {"idempotency_key": "k"}}},
    ],
    ids=["D-a2a", "K1: message", "K1: metadata"],
)
def test_sending_takes_what_the_vendors_pages_show(twin: Twin, more: Data) -> None:
    assert rpc(twin, "tasks/send", {"capability_id": "cap_ocr_invoice_v1", **more})["result"]["id"]


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
