"""The wallet (D-wal): available, frozen and their total, and a book of what moved."""

from decimal import Decimal

import pytest
from tests.uumit.calls import (
    ADA,
    PRINCIPALS,
    TASKS,
    TRANSACTIONS,
    WALLET,
    Data,
    apply_for,
    buy,
    data,
    get,
    make_task,
    post,
    top_up,
    wallet,
)

from tasktwin import Twin

SEEDED: dict[str, Data] = {
    "human_alice": {"ut": ["50.00", "0.00", "50.00"], "cash": ["5000.00", "420.00", "5420.00"]},
    "human_bob": {"ut": ["0.00", "0.00", "0.00"], "cash": ["0.00", "800.00", "800.00"]},
    "agent_ada": {"ut": ["2000.00", "935.00", "2935.00"], "cash": ["0.00", "0.00", "0.00"]},
    "agent_otto": {"ut": ["500.00", "165.00", "665.00"], "cash": ["0.00", "0.00", "0.00"]},
}


def book(twin: Twin, who: str) -> list[tuple[str, str, str]]:
    """Type, amount and balance of the wallet's entries, newest first."""
    items = data(get(twin, who, f"{WALLET}/transactions", page_size=100))["items"]
    return [(item["type"], item["amount"], item["balance_after"]) for item in items]


def total(twin: Twin) -> dict[str, Decimal]:
    wallets = [wallet(twin, who) for who in PRINCIPALS]
    return {bucket: sum((Decimal(each[bucket]["total"]) for each in wallets), Decimal(0)) for bucket in ("ut", "cash")}


@pytest.mark.parametrize(("who", "amounts"), SEEDED.items(), ids=SEEDED)
def test_the_overview_shows_two_decimals_of_both_currencies(twin: Twin, who: str, amounts: Data) -> None:
    assert wallet(twin, who) == {
        bucket: dict(zip(("available", "frozen", "total"), parts, strict=True)) for bucket, parts in amounts.items()
    }


def test_what_is_held_for_the_seeds_is_what_the_seeds_freeze(twin: Twin) -> None:
    held = {who: Decimal(0) for who in PRINCIPALS}
    for who in PRINCIPALS:
        for task in data(get(twin, who, f"{TASKS}/", page_size=100))["items"]:
            worker = {"human": "human_bob", "agent": "agent_otto"}[task["owner_type"]]
            if task["status"] in ("open", "matched"):
                held[who if task["status"] == "open" else worker] += Decimal(task["bounty_amount"])
        for order in data(get(twin, who, TRANSACTIONS, role="buyer", page_size=100))["items"]:
            if order["status"] in ("frozen", "accepted", "delivered"):
                held[who] += Decimal(order["price_ut"])
    assert held == {who: sum(Decimal(each["frozen"]) for each in wallet(twin, who).values()) for who in PRINCIPALS}


@pytest.mark.parametrize("amount", ["0.10", "0.01", "1234.56", "99.99", "1000.00"])
def test_money_is_decimal_to_the_last_cent(twin: Twin, amount: str) -> None:
    for _ in range(3):
        make_task(twin, "human_alice", bounty_amount=amount)
    shown = wallet(twin, "human_alice")["cash"]
    assert Decimal(shown["frozen"]) == Decimal("420.00") + 3 * Decimal(amount)
    assert Decimal(shown["available"]) + Decimal(shown["frozen"]) == Decimal(shown["total"]) == Decimal("5420.00")


def test_the_sum_of_all_purses_never_changes(twin: Twin) -> None:
    before = total(twin)
    task = make_task(twin, "agent_ada", bounty_amount="33.33")
    data(post(twin, "agent_ada", f"{TASKS}/{task}/applications/{apply_for(twin, 'agent_otto', task)}/accept"))
    assert total(twin) == before
    twin.trigger("cancel_order", task, "task")
    order = buy(twin)
    for who, verb in [("ada", "freeze"), ("otto", "accept"), ("otto", "deliver"), ("ada", "confirm")]:
        data(post(twin, f"agent_{who}", f"{TRANSACTIONS}/{order}/{verb}"))
    twin.advance(days=5)
    assert total(twin) == before


def test_a_top_up_is_the_only_new_money(twin: Twin) -> None:
    before = total(twin)
    top_up(twin, ADA, ut_available="2000.50")
    assert total(twin) == {"ut": before["ut"] + Decimal("0.50"), "cash": before["cash"]}


def test_a_purse_that_was_put_in_part_counts_the_rest_as_nothing(twin: Twin) -> None:
    top_up(twin, ADA, ut_available="10", ut_frozen=None, cash_available=None, cash_frozen=None)  # type: ignore[arg-type]
    assert wallet(twin, "agent_ada") == {
        "ut": {"available": "10.00", "frozen": "0.00", "total": "10.00"},
        "cash": {"available": "0.00", "frozen": "0.00", "total": "0.00"},
    }


def test_the_book_says_what_each_step_moved(twin: Twin) -> None:
    task = make_task(twin, "agent_ada", bounty_amount="10")
    data(twin.request("PUT", f"{TASKS}/{task}", json={"bounty_amount": 15}, as_="agent_ada"))
    data(twin.request("PUT", f"{TASKS}/{task}", json={"bounty_amount": 12}, as_="agent_ada"))
    data(post(twin, "agent_ada", f"{TASKS}/{task}/close"))
    assert book(twin, "agent_ada")[:4] == [
        ("unfreeze", "12.00", "2000.00"),
        ("unfreeze", "3.00", "1988.00"),
        ("freeze", "5.00", "1985.00"),
        ("freeze", "10.00", "1990.00"),
    ]


def test_a_settled_transaction_stands_in_both_books(twin: Twin) -> None:
    data(post(twin, "agent_ada", f"{TRANSACTIONS}/40000000-0000-4000-8000-000000000004/confirm"))
    assert book(twin, "agent_ada")[0] == ("expense", "120.00", "2000.00")
    assert book(twin, "agent_otto")[0] == ("income", "120.00", "620.00")


def test_a_refused_step_leaves_nothing_in_the_book(twin: Twin) -> None:
    before = book(twin, "agent_otto")
    assert (
        post(
            twin,
            "agent_otto",
            f"{TASKS}/",
            {"title": "t", "description": "d", "bounty_amount": 900, "delivery_hours": 1},
        ).status
        == 409
    )
    assert book(twin, "agent_otto") == before


@pytest.mark.parametrize(("kind", "held"), [("income", 1), ("recharge", 0), ("nonsense", 0)])
def test_the_book_can_be_of_one_type(twin: Twin, kind: str, held: int) -> None:
    page = data(get(twin, "agent_otto", f"{WALLET}/transactions", type=kind))
    assert [item["type"] for item in page["items"]] == [kind] * held


def test_an_entry_has_the_vendors_fields(twin: Twin) -> None:
    entry = data(get(twin, "agent_otto", f"{WALLET}/transactions"))["items"][0]
    assert list(entry) == [
        "id",
        "type",
        "amount",
        "currency",
        "balance_after",
        "description",
        "biz_ref_id",
        "created_at",
    ]
    assert (entry["type"], entry["currency"]) == ("income", "UT")
