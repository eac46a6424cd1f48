"""Idempotency keys: a repeated request gets the first successful answer again, and has no second effect (S3, D-bp)."""

import pytest
from tests.uumit.calls import (
    ADA,
    INVALID,
    POOR,
    TASK,
    TASKS,
    TRANSACTIONS,
    Data,
    buy,
    data,
    everything,
    make_task,
    post,
    status_of,
    told,
    top_up,
    wallet,
)

from tasktwin import Twin

PURCHASE = {"capability_id": "cap_ocr_invoice_v1"}


def test_a_repeated_request_gets_the_same_bytes_and_has_no_second_effect(twin: Twin) -> None:
    first = post(twin, "agent_ada", f"{TASKS}/", TASK, key="one")
    twin.advance(60)
    before = everything(twin)
    again = post(twin, "agent_ada", f"{TASKS}/", TASK, key="one")
    assert (again.status, again.content) == (200, first.content)
    assert (first.headers["tasktwin-reason"], again.headers["tasktwin-reason"]) == ("state", "replay")
    assert everything(twin) == before


WRITES: dict[str, tuple[str, str, str, Data | None]] = {
    "create": ("agent_ada", "POST", f"{TASKS}/", TASK),
    "update": ("agent_ada", "PUT", f"{TASKS}/10000000-0000-4000-8000-000000000009", {"bounty_amount": "7"}),
    "close": ("agent_ada", "POST", f"{TASKS}/10000000-0000-4000-8000-000000000009/close", None),
    "publish": (
        "human_alice",
        "POST",
        f"{TASKS}/10000000-0000-4000-8000-000000000003/publish-draft",
        {"delivery_hours": 9},
    ),
    "reuse": ("agent_ada", "POST", f"{TASKS}/10000000-0000-4000-8000-00000000000b/reuse", {"delivery_hours": 9}),
    "accept": (
        "agent_ada",
        "POST",
        f"{TASKS}/10000000-0000-4000-8000-000000000009/applications/30000000-0000-4000-8000-000000000003/accept",
        None,
    ),
    "withdraw": (
        "agent_otto",
        "DELETE",
        f"{TASKS}/10000000-0000-4000-8000-000000000009/applications/30000000-0000-4000-8000-000000000003",
        None,
    ),
    "buy": ("agent_ada", "POST", TRANSACTIONS, PURCHASE),
    "freeze": ("agent_ada", "POST", f"{TRANSACTIONS}/40000000-0000-4000-8000-000000000001/freeze", None),
    "confirm": ("agent_ada", "POST", f"{TRANSACTIONS}/40000000-0000-4000-8000-000000000004/confirm", None),
}


@pytest.mark.parametrize(("who", "method", "path", "body"), WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_kind_of_write_can_be_repeated(
    twin: Twin, who: str, method: str, path: str, body: Data | None, *, slash: str
) -> None:
    headers = {"Idempotency-Key": "again"}
    first = twin.request(method, path, json=body, headers=headers, as_=who)
    before = everything(twin)
    again = twin.request(method, path.rstrip("/") + slash, json=body, headers=headers, as_=who)
    assert (first.status, again.status, again.content) == (200, 200, first.content)
    assert everything(twin) == before


@pytest.mark.parametrize("repeat", ["a-key", '"a-key"', ' "a-key" '])
def test_a_key_is_the_same_bare_and_quoted(twin: Twin, repeat: str) -> None:
    first = post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="a-key")
    assert post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key=repeat).content == first.content


def test_a_transactions_key_may_stand_in_its_body(twin: Twin) -> None:
    body = {**PURCHASE, "idempotency_key": "in-body"}
    first = post(twin, "agent_ada", TRANSACTIONS, body)
    assert post(twin, "agent_ada", TRANSACTIONS, body).content == first.content
    assert "idempotency_key" not in first.json()["data"]


def test_the_header_wins_over_the_body(twin: Twin) -> None:
    body = {**PURCHASE, "idempotency_key": "in-body"}
    keys = [data(post(twin, "agent_ada", TRANSACTIONS, body, key=key))["id"] for key in ("one", "two", "one")]
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize("key", [None, ""])
def test_no_key_in_the_body_is_no_key(twin: Twin, key: str | None) -> None:
    body = {**PURCHASE, "idempotency_key": key}
    made = {data(post(twin, "agent_ada", TRANSACTIONS, body))["id"] for _ in range(2)}
    assert len(made) == 2


def test_without_a_key_every_request_counts(twin: Twin) -> None:
    assert make_task(twin, "agent_ada") != make_task(twin, "agent_ada")


def test_another_caller_may_use_the_same_key(twin: Twin) -> None:
    made = {
        data(post(twin, who, f"{TASKS}/", TASK, key="k"))["id"] for who in ("agent_ada", "agent_otto", "human_alice")
    }
    assert len(made) == 3


def test_another_operation_may_use_the_same_key(twin: Twin) -> None:
    order = data(post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="k"))["id"]
    assert data(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/freeze", key="k"))["status"] == "frozen"
    assert data(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/cancel", key="k"))["status"] == "cancelled_by_buyer"
    assert wallet(twin, "agent_ada")["ut"]["available"] == "2000.00"


def test_the_same_operation_on_another_row_with_the_same_key_is_refused(twin: Twin) -> None:
    one, other = buy(twin), buy(twin)
    data(post(twin, "agent_ada", f"{TRANSACTIONS}/{one}/freeze", key="k"))
    assert told(post(twin, "agent_ada", f"{TRANSACTIONS}/{other}/freeze", key="k")) == INVALID
    assert status_of(twin, "transaction", other) == "pending_freeze"


@pytest.mark.parametrize("change", [{"title": "Other"}, {"bounty_amount": "100"}, {"category": "x"}], ids=str)
def test_another_payload_with_the_same_key_is_refused(twin: Twin, change: Data) -> None:
    data(post(twin, "agent_ada", f"{TASKS}/", TASK, key="k"))
    before = everything(twin)
    answer = post(twin, "agent_ada", f"{TASKS}/", {**TASK, **change}, key="k")
    assert (told(answer), answer.headers["tasktwin-reason"]) == (INVALID, "refused: key_reused")
    assert everything(twin) == before


def test_a_failure_is_not_replayed(twin: Twin) -> None:
    order = buy(twin)
    top_up(twin, ADA, ut_available="0.00")
    assert told(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/freeze", key="k")) == POOR
    top_up(twin, ADA, ut_available="120.00")
    assert told(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/freeze", key="k")) == (200, 0)


def test_a_key_whose_request_failed_may_carry_another_payload(twin: Twin) -> None:
    assert told(post(twin, "agent_ada", f"{TASKS}/", {"title": "t"}, key="k")) == INVALID
    assert told(post(twin, "agent_ada", f"{TASKS}/", TASK, key="k")) == (200, 0)


@pytest.mark.parametrize(("seconds", "same"), [(24 * 3600 - 1, True), (24 * 3600, False)])
def test_a_key_is_kept_for_24_hours_of_the_worlds_time(twin: Twin, seconds: int, *, same: bool) -> None:
    first = post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="k")
    twin.advance(seconds)
    again = post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="k")
    assert (first.json()["data"]["id"] == again.json()["data"]["id"]) == same
    assert again.headers["tasktwin-reason"] == ("replay" if same else "state")


def test_a_repeated_request_is_still_asked_who_it_is(twin: Twin) -> None:
    post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="k")
    answer = twin.request("POST", TRANSACTIONS, json=PURCHASE, headers={"Idempotency-Key": "k"})
    assert told(answer) == (401, 1002)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_is_refused(twin: Twin, key: str) -> None:
    answer = twin.request("POST", TRANSACTIONS, json=PURCHASE, headers={"Idempotency-Key": key}, as_="agent_ada")
    assert told(answer) == INVALID


def test_a_reset_forgets_the_keys(twin: Twin) -> None:
    post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="k")
    twin.reset()
    assert post(twin, "agent_ada", TRANSACTIONS, PURCHASE, key="k").headers["tasktwin-reason"] == "state"
