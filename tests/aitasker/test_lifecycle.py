"""How a task of AITasker lives: by itself on the clock, by its buyer's calls, by triggers; and its bids."""

import pytest
from tests.aitasker.buyer import BID, HIDDEN_BID, LOSER, OTHER_BID, SEEDED, STATES, UNKNOWN, create, gallery, post, task

from tasktwin.exchange.twin import Twin

# ── lifecycle ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_open_task_moves_to_review_by_itself(twin: Twin) -> None:
    made, seen = create(twin).json()["id"], {}
    for seconds in (0, 4.9, 0.2, 5, 419.8, 0.1):
        twin.advance(seconds)
        seen[twin.world.instant] = task(twin, made)["status"]
    assert list(seen.values()) == ["open", "open", "matching", "prototyping", "prototyping", "review"]


def test_nothing_moves_while_the_clock_stands_still(twin: Twin) -> None:
    made = create(twin).json()["id"]
    assert [task(twin, made)["status"] for _ in range(50)] == ["open"] * 50


def test_a_draft_does_not_move_by_itself(twin: Twin) -> None:
    twin.advance(days=400)
    assert task(twin, SEEDED["draft"])["status"] == "draft"


def test_a_task_in_review_has_bids_and_lives_on_to_completion(twin: Twin) -> None:
    made = create(twin, budget_usd=100).json()["id"]
    assert gallery(twin, made)["bids"] == []
    twin.advance(430)
    found = gallery(twin, made)
    assert (len(found["bids"]), found["total_bids_generated"]) == (3, 5)
    assert [each["eval_score"] for each in found["bids"]] == sorted(
        (each["eval_score"] for each in found["bids"]), reverse=True
    )
    assert all(each["status"] == "presented" and 70 <= each["bid_price_usd"] <= 100 for each in found["bids"])
    assert post(twin, made, f"bids/{found['bids'][1]['id']}/select").json()["status"] == "delivering"
    twin.advance(days=30)
    assert post(twin, made, "approve").json()["status"] == "completed"


def test_the_same_seed_makes_the_same_bids(twin: Twin) -> None:
    made = create(twin).json()["id"]
    twin.advance(430)
    first = gallery(twin, made)
    twin.reset()
    assert create(twin).json()["id"] == made
    twin.advance(430)
    assert gallery(twin, made) == first


@pytest.mark.parametrize(("hours", "state"), [(71.9, "review"), (72.1, "expired")], ids=["inside", "beyond"])
def test_a_task_in_review_expires_after_the_review_window(twin: Twin, hours: float, state: str) -> None:
    made = create(twin).json()["id"]
    twin.advance(430)
    twin.advance(hours=hours)
    assert task(twin, made)["status"] == state


def test_a_task_without_a_prototype_expires(twin: Twin) -> None:
    assert twin.trigger("no_prototype", SEEDED["prototyping"])["status"] == "expired"
    twin.advance(days=30)
    assert task(twin, SEEDED["prototyping"])["status"] == "expired"


@pytest.mark.parametrize(
    ("state", "trigger", "then"),
    [
        ("open", "triage", "matching"),
        ("matching", "call_agents", "prototyping"),
        ("prototyping", "prototypes_ready", "review"),
        ("review", "expire", "expired"),
        ("delivering", "auto_approve", "completed"),
    ],
)
def test_the_agents_side_can_be_triggered_by_name(twin: Twin, state: str, trigger: str, then: str) -> None:
    assert twin.trigger(trigger, SEEDED[state])["status"] == then
    assert task(twin, SEEDED[state])["status"] == then


CANCELLABLE = ("draft", "open", "matching", "prototyping", "review")


@pytest.mark.parametrize("state", STATES)
def test_a_task_is_cancelled_only_before_a_winner_is_selected(twin: Twin, state: str) -> None:
    answer = post(twin, SEEDED[state], "cancel")
    assert answer.status == (200 if state in CANCELLABLE else 409)
    twin.advance(days=30)
    if state in CANCELLABLE:
        assert task(twin, SEEDED[state])["status"] == "cancelled"


@pytest.mark.parametrize("state", STATES)
def test_only_a_delivery_is_approved(twin: Twin, state: str) -> None:
    answer = post(twin, SEEDED[state], "approve")
    assert answer.status == (200 if state == "delivering" else 409)


# ── bids ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_gallery_has_the_keys_of_the_page_and_the_presented_bids(twin: Twin) -> None:
    found = gallery(twin, SEEDED["review"])
    assert list(found) == [
        "task", "bids", "total_bids_generated", "remix_available", "remix_fee_usd", "review_extensions_used",
        "review_extensions_remaining",
    ]  # fmt: skip
    assert found["task"] == task(twin, SEEDED["review"])
    assert ([each["presented"] for each in found["bids"]], found["total_bids_generated"]) == ([True] * 3, 4)
    assert (found["remix_fee_usd"], found["review_extensions_used"], found["review_extensions_remaining"]) == (1, 0, 0)


def test_selecting_a_bid_declines_the_others(twin: Twin) -> None:
    assert post(twin, SEEDED["review"], f"bids/{BID}/select").json()["status"] == "delivering"
    states = {each["id"]: (each["selected"], each["status"]) for each in gallery(twin, SEEDED["review"])["bids"]}
    assert (states[BID], states[LOSER]) == ((True, "selected"), (False, "declined"))
    assert post(twin, SEEDED["review"], f"bids/{LOSER}/select").status == 409


@pytest.mark.parametrize("state", ["prototyping", "delivering", "completed", "cancelled"])
def test_selecting_a_bid_outside_review_is_refused(twin: Twin, state: str) -> None:
    twin.world.store.put("bid", BID, {**(twin.read("bid", BID) or {}), "task_id": SEEDED[state]})
    answer = post(twin, SEEDED[state], f"bids/{BID}/select")
    assert (answer.status, isinstance(answer.json()["detail"], str)) == (409, True)


@pytest.mark.parametrize("bid", [UNKNOWN, OTHER_BID, HIDDEN_BID], ids=["unknown", "another task's", "not presented"])
def test_selecting_a_bid_that_is_not_offered_is_refused(twin: Twin, bid: str) -> None:
    answer = post(twin, SEEDED["review"], f"bids/{bid}/select")
    assert (answer.status, answer.json()) == (404, {"detail": "Bid not found"})


def test_both_identifiers_of_a_selection_are_told_in_their_order(twin: Twin) -> None:
    answer = post(twin, "zzz", "bids/yyy/select")
    assert [each["loc"] for each in answer.json()["detail"]] == [["path", "task_id"], ["path", "bid_id"]]
