"""Transactions (D-tx): pending_freeze, frozen, accepted, delivered, settled; rejected by the seller, cancelled by the buyer."""

import pytest
from tests.uumit.calls import (
    ADA,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    ORDER_STATE,
    OTTO,
    POOR,
    TRANSACTIONS,
    UNKNOWN,
    Data,
    Refusal,
    buy,
    data,
    everything,
    get,
    page_of,
    post,
    seeded,
    status_of,
    told,
    top_up,
    wallet,
)

from tasktwin import Twin

MOVES: dict[str, tuple[str, int, str]] = {
    "freeze": ("agent_ada", 1, "frozen"),
    "accept": ("agent_otto", 2, "accepted"),
    "reject": ("agent_otto", 2, "rejected_by_seller"),
    "deliver": ("agent_otto", 3, "delivered"),
    "confirm": ("agent_ada", 4, "settled"),
    "cancel": ("agent_ada", 1, "cancelled_by_buyer"),
}


def amounts(twin: Twin) -> list[str]:
    """Available and frozen UT of Ada, then of Otto."""
    return [wallet(twin, who)["ut"][part] for who in ("agent_ada", "agent_otto") for part in ("available", "frozen")]


def test_a_purchase_moves_no_money_and_names_both_sides(twin: Twin) -> None:
    before = amounts(twin)
    made = data(post(twin, "agent_ada", TRANSACTIONS, {"capability_id": "cap_ocr_invoice_v1"}))
    shown = {"buyer_user_id": ADA, "seller_user_id": OTTO, "price_ut": "120.00", "status": "pending_freeze"}
    assert made | shown == made
    assert amounts(twin) == before


def test_the_way_to_settlement_moves_the_price_once(twin: Twin) -> None:
    order, seen = buy(twin), [amounts(twin)]
    for verb in ("freeze", "accept", "deliver", "confirm"):
        data(post(twin, MOVES[verb][0], f"{TRANSACTIONS}/{order}/{verb}"))
        seen.append(amounts(twin))
    frozen = ["1880.00", "1055.00", "500.00", "165.00"]
    assert seen == [
        ["2000.00", "935.00", "500.00", "165.00"],
        *[frozen] * 3,
        ["1880.00", "935.00", "620.00", "165.00"],
    ]


@pytest.mark.parametrize(("verb", "who"), [("reject", "agent_otto"), ("cancel", "agent_ada")])
def test_a_frozen_price_is_given_back(twin: Twin, verb: str, who: str) -> None:
    before, order = amounts(twin), buy(twin)
    data(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/freeze"))
    data(post(twin, who, f"{TRANSACTIONS}/{order}/{verb}"))
    assert amounts(twin) == before


@pytest.mark.parametrize(("verb", "who", "number", "state"), [(verb, *move) for verb, move in MOVES.items()], ids=MOVES)
def test_a_step_is_for_one_side_only(twin: Twin, verb: str, who: str, number: int, state: str) -> None:
    key = seeded(4, number)
    url = f"{TRANSACTIONS}/{key}/{verb}"
    for other in {"agent_ada", "agent_otto", "human_alice"} - {who}:
        assert told(post(twin, other, url)) == FORBIDDEN
    assert data(post(twin, who, url))["status"] == state
    assert told(post(twin, who, url)) == ORDER_STATE


@pytest.mark.parametrize("verb", ["", *[f"/{verb}" for verb in MOVES]])
@pytest.mark.parametrize("key", [UNKNOWN, "no-uuid", seeded(1, 1)])
def test_a_transaction_that_does_not_exist_is_not_found(twin: Twin, verb: str, key: str) -> None:
    method = "POST" if verb else "GET"
    assert told(twin.request(method, f"{TRANSACTIONS}/{key}{verb}", as_="agent_ada")) == NOT_FOUND


@pytest.mark.parametrize("who", ["human_alice", "human_bob"])
def test_only_buyer_and_seller_read_a_transaction(twin: Twin, who: str) -> None:
    assert told(get(twin, who, f"{TRANSACTIONS}/{seeded(4, 1)}")) == FORBIDDEN
    assert page_of(twin, who, TRANSACTIONS) == set()
    for side in ("agent_ada", "agent_otto"):
        assert data(get(twin, side, f"{TRANSACTIONS}/{seeded(4, 1)}"))["id"] == seeded(4, 1)


def test_without_the_money_nothing_is_frozen(twin: Twin) -> None:
    order = buy(twin)
    top_up(twin, ADA, ut_available="119.99")
    before = everything(twin)
    assert told(post(twin, "agent_ada", f"{TRANSACTIONS}/{order}/freeze")) == POOR
    assert everything(twin) == before


def test_what_is_delivered_is_answered_to_both(twin: Twin) -> None:
    result = {"result_payload": {"number": "INV-0042", "lines": [1, 2]}}
    data(post(twin, "agent_otto", f"{TRANSACTIONS}/{seeded(4, 3)}/deliver", result))
    for who in ("agent_ada", "agent_otto"):
        assert data(get(twin, who, f"{TRANSACTIONS}/{seeded(4, 3)}"))["result_payload"] == result["result_payload"]


BODIES: dict[str, tuple[Data, Refusal]] = {
    "nulls are allowed": (
        {"capability_id": "cap_ocr_invoice_v1", "demand_id": None, "context_id": None, "booked_hours": None},
        (200, 0),
    ),
    "a demand": ({"capability_id": "cap_ocr_invoice_v1", "demand_id": "d"}, (200, 0)),
    "no capability": ({}, INVALID),
    "an empty capability": ({"capability_id": ""}, INVALID),
    "an unknown capability": ({"capability_id": "cap_nobody_sells"}, NOT_FOUND),
    "one's own capability": ({"capability_id": "cap_market_report"}, FORBIDDEN),
    "no hours at all": ({"capability_id": "cap_ocr_invoice_v1", "booked_hours": 0}, INVALID),
    "half an hour": ({"capability_id": "cap_ocr_invoice_v1", "booked_hours": 1.5}, INVALID),
    "hours in words": ({"capability_id": "cap_ocr_invoice_v1", "booked_hours": "2"}, INVALID),
}


@pytest.mark.parametrize(("body", "answer"), BODIES.values(), ids=BODIES)
def test_what_can_be_bought(twin: Twin, body: Data, answer: Refusal) -> None:
    assert told(post(twin, "agent_ada", TRANSACTIONS, body)) == answer


HOURS: dict[str, tuple[str, Data, tuple[int, str]]] = {
    "by the hour": ("cap_gpu_hour", {"booked_hours": 3}, (200, "45.00")),
    "by the hour, none given": ("cap_gpu_hour", {}, (422, "")),
    "by the hour, null": ("cap_gpu_hour", {"booked_hours": None}, (422, "")),
    "by the use, hours do not count": ("cap_translate_v2", {"booked_hours": 3}, (200, "45.00")),
}


@pytest.mark.parametrize(("capability", "body", "answer"), HOURS.values(), ids=HOURS)
def test_the_price_counts_booked_hours_where_it_is_by_the_hour(
    twin: Twin, capability: str, body: Data, answer: tuple[int, str]
) -> None:
    made = post(twin, "human_alice", TRANSACTIONS, {"capability_id": capability, **body})
    assert (made.status, (made.json()["data"] or {"price_ut": ""})["price_ut"]) == answer


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, {1, 2, 3, 4, 5, 6, 7}),
        ({"role": "buyer"}, {1, 2, 3, 4, 5, 6}),
        ({"role": "seller"}, {7}),
        ({"status": "frozen"}, {2}),
        ({"role": "seller", "status": "cancelled_by_buyer"}, {7}),
        ({"role": "seller", "status": "frozen"}, set()),
    ],
    ids=str,
)
def test_transactions_are_listed_by_role_and_status(twin: Twin, query: Data, numbers: set[int]) -> None:
    assert page_of(twin, "agent_ada", TRANSACTIONS, **query) == {seeded(4, number) for number in numbers}


@pytest.mark.parametrize("query", [{"role": "owner"}, {"status": "pending"}], ids=str)
def test_an_unknown_role_or_status_is_refused(twin: Twin, query: Data) -> None:
    assert told(get(twin, "agent_ada", TRANSACTIONS, **query)) == INVALID


def test_the_price_cannot_be_sent(twin: Twin) -> None:
    body = {"capability_id": "cap_ocr_invoice_v1", "price_ut": "0.01", "status": "settled", "seller_user_id": ADA}
    made = data(post(twin, "agent_ada", TRANSACTIONS, body))
    assert (made["price_ut"], made["status"], made["seller_user_id"]) == ("120.00", "pending_freeze", OTTO)
    assert status_of(twin, "transaction", made["id"]) == "pending_freeze"


@pytest.mark.parametrize(
    ("category", "names"),
    [(None, 4), ("development", 3), ("finance", 1), ("Finance", 0), ("design", 0)],
)
def test_capabilities_are_listed_by_category(twin: Twin, category: str | None, names: int) -> None:
    page = data(get(twin, "agent_ada", "/api/v1/capabilities", **({"category": category} if category else {})))
    assert (len(page["items"]), page["total"]) == (names, names)
    assert all(item["name"] == item["title"] for item in page["items"])
