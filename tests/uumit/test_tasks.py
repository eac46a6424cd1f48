"""Tasks: what a new one needs, drafts, what only the poster may do, and that nobody takes a task directly."""

import pytest
from tests.uumit.calls import (
    ALICE,
    DRAFTED,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    POOR,
    TASK,
    TASK_STATE,
    TASKS,
    Data,
    Refusal,
    apply_for,
    data,
    everything,
    get,
    make_task,
    page_of,
    post,
    seeded,
    status_of,
    told,
    top_up,
    wallet,
)

from tasktwin import Twin

DRAFT, LOGO, MATCHED = seeded(1, 3), seeded(1, 1), seeded(1, 4)
UNPAID = {key: value for key, value in TASK.items() if key != "bounty_amount"}
HOURLY = {
    **UNPAID,
    "billing_model": "schedule_hourly",
    "unit_price": "12.50",
    "total_quantity": 4,
    "scheduled_start_at": "2026-01-02T09:00:00+08:00",
}


def without(field: str, body: Data) -> Data:
    return {key: value for key, value in body.items() if key != field}


# What a new task needs (facts 6.1)

COMPLETE: dict[str, tuple[Data, Data]] = {
    "the least": (
        TASK,
        {"mode": "online", "billing_model": "fixed_deadline", "dispatch_mode": "auto", "category": None},
    ),
    "money as a number": ({**TASK, "bounty_amount": 100}, {"bounty_amount": "100.00"}),
    "money as text": ({**TASK, "bounty_amount": "0.5"}, {"bounty_amount": "0.50"}),
    "no deadline needs no delivery hours": (
        {**without("delivery_hours", TASK), "billing_model": "fixed_no_deadline"},
        {"delivery_hours": None},
    ),
    "by the hour: the bounty is computed": (HOURLY, {"bounty_amount": "50.00", "unit_price": "12.50"}),
    "by the hour: a bounty that was sent is ignored": ({**HOURLY, "bounty_amount": "1"}, {"bounty_amount": "50.00"}),
    "offline in a city": ({**TASK, "mode": "offline", "city": "Hangzhou"}, {"city": "Hangzhou"}),
    "dispatched by hand": ({**TASK, "dispatch_mode": "manual"}, {"dispatch_mode": "manual"}),
    "the currency follows the caller": ({**TASK, "bounty_currency": "CNY"}, {"bounty_currency": "UT"}),
}

INCOMPLETE = {
    "no title": without("title", TASK),
    "no description": without("description", TASK),
    "an empty title": {**TASK, "title": ""},
    "no bounty": UNPAID,
    "a bounty of nothing": {**TASK, "bounty_amount": "0.00"},
    "a bounty below nothing": {**TASK, "bounty_amount": -5},
    "a bounty with three decimals": {**TASK, "bounty_amount": "1.005"},
    "a bounty in words": {**TASK, "bounty_amount": "ten"},
    "no delivery hours": without("delivery_hours", TASK),
    "no time to deliver": {**TASK, "delivery_hours": 0},
    "half an hour": {**TASK, "delivery_hours": 0.5},
    "offline without a city": {**TASK, "mode": "offline"},
    "an unknown mode": {**TASK, "mode": "hybrid"},
    "an unknown billing model": {**TASK, "billing_model": "free"},
    "an unknown dispatch mode": {**TASK, "dispatch_mode": "lottery"},
    "by the hour without a price": without("unit_price", HOURLY),
    "by the hour without a quantity": without("total_quantity", HOURLY),
    "by the hour without a start": without("scheduled_start_at", HOURLY),
    "by the hour, none of them": {**HOURLY, "total_quantity": 0},
    "by the hour, started already": {**HOURLY, "scheduled_start_at": "2025-12-31T23:59:59Z"},
    "by the hour, starting now": {**HOURLY, "scheduled_start_at": "2026-01-01T08:00:00+08:00"},
    "by the hour, in no zone": {**HOURLY, "scheduled_start_at": "2026-01-02T09:00:00"},
    "by the hour, in a leap second": {**HOURLY, "scheduled_start_at": "2026-12-31T23:59:60Z"},
}


@pytest.mark.parametrize(("body", "shown"), COMPLETE.values(), ids=COMPLETE)
def test_a_complete_task_is_open_and_answered_as_it_is_read(twin: Twin, body: Data, shown: Data) -> None:
    made = data(post(twin, "agent_ada", f"{TASKS}/", body))
    assert made["status"] == "open"
    assert made | shown == made
    assert data(get(twin, "agent_ada", f"{TASKS}/{made['id']}")) == made


@pytest.mark.parametrize("body", INCOMPLETE.values(), ids=INCOMPLETE)
def test_an_incomplete_task_is_refused_and_not_kept(twin: Twin, body: Data) -> None:
    before = everything(twin)
    assert told(post(twin, "agent_ada", f"{TASKS}/", body)) == INVALID
    assert everything(twin) == before


def test_private_fields_are_never_shown(twin: Twin) -> None:
    shown = data(get(twin, "human_alice", f"{TASKS}/{MATCHED}"))
    assert not {"held", "worker_id"} & set(shown)


# Drafts (S0, D-err 3004)


def test_a_human_without_the_money_gets_a_draft_as_the_refusals_data(twin: Twin) -> None:
    answer = post(twin, "human_bob", f"{TASKS}/", TASK)
    draft = answer.json()["data"]
    assert told(answer) == DRAFTED
    assert draft["status"] == "draft"
    assert data(get(twin, "human_bob", f"{TASKS}/{draft['id']}")) == draft
    assert draft["id"] in page_of(twin, "human_bob", TASKS, status="draft")


def test_a_draft_is_published_after_a_top_up_and_then_holds_the_bounty(twin: Twin) -> None:
    draft = post(twin, "human_bob", f"{TASKS}/", TASK).json()["data"]["id"]
    assert told(post(twin, "human_bob", f"{TASKS}/{draft}/publish-draft", {"delivery_hours": 48})) == POOR
    assert status_of(twin, "task", draft) == "draft"
    top_up(twin, "b0000000-0000-4000-8000-0000000000b2", cash_available="100.00")
    published = data(post(twin, "human_bob", f"{TASKS}/{draft}/publish-draft", {"delivery_hours": 48}))
    assert (published["status"], published["delivery_hours"]) == ("open", 48)
    assert wallet(twin, "human_bob")["cash"] == {"available": "0.00", "frozen": "900.00", "total": "900.00"}


def test_an_agent_without_the_money_is_refused_and_nothing_is_kept(twin: Twin) -> None:
    before = everything(twin)
    assert told(post(twin, "agent_otto", f"{TASKS}/", {**TASK, "bounty_amount": "500.01"})) == POOR
    assert everything(twin) == before


@pytest.mark.parametrize(("who", "amount"), [("agent_otto", "500.00"), ("human_alice", "5000.00")])
def test_the_last_of_the_money_is_enough(twin: Twin, who: str, amount: str) -> None:
    assert told(post(twin, who, f"{TASKS}/", {**TASK, "bounty_amount": amount})) == (200, 0)


def test_the_other_currency_does_not_pay_for_a_task(twin: Twin) -> None:
    top_up(twin, "b0000000-0000-4000-8000-0000000000b2", ut_available="1000.00")
    assert told(post(twin, "human_bob", f"{TASKS}/", TASK)) == DRAFTED


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("POST", "/close"), ("POST", "/publish-draft")])
def test_anothers_draft_is_not_there(twin: Twin, method: str, path: str) -> None:
    body = {"delivery_hours": 24} if method != "GET" and path != "/close" else None
    assert told(twin.request(method, f"{TASKS}/{DRAFT}{path}", json=body, as_="human_bob")) == NOT_FOUND


@pytest.mark.parametrize("path", [f"{TASKS}/{DRAFT}/publish-draft", f"{TASKS}/{LOGO}/reuse"], ids=["publish", "reuse"])
@pytest.mark.parametrize("body", [{}, {"title": "t"}, {"delivery_hours": None}, {"delivery_hours": "24"}], ids=str)
def test_the_delivery_period_must_be_set_again(twin: Twin, path: str, body: Data) -> None:
    before = everything(twin)
    assert told(post(twin, "human_alice", path, body)) == INVALID
    assert everything(twin) == before


def test_publishing_without_any_body_is_refused(twin: Twin) -> None:
    assert told(post(twin, "human_alice", f"{TASKS}/{DRAFT}/publish-draft")) == INVALID


# Reuse


def test_a_reused_task_is_a_new_one_that_is_paid_for_again(twin: Twin) -> None:
    origin = data(get(twin, "human_alice", f"{TASKS}/{MATCHED}"))
    made = data(post(twin, "human_alice", f"{TASKS}/{MATCHED}/reuse", {"delivery_hours": 5, "title": "Once more"}))
    new = {"id", "title", "status", "delivery_hours", "matched_order_id", "created_at", "updated_at"}
    assert {key for key in made if made[key] != origin[key]} == new
    assert (made["status"], made["delivery_hours"], made["matched_order_id"]) == ("open", 5, None)
    assert wallet(twin, "human_alice")["cash"]["frozen"] == "1220.00"
    assert data(get(twin, "human_alice", f"{TASKS}/{MATCHED}")) == origin


def test_reusing_without_the_money_gives_a_human_a_draft(twin: Twin) -> None:
    top_up(twin, ALICE, cash_available="1.00")
    answer = post(twin, "human_alice", f"{TASKS}/{MATCHED}/reuse", {"delivery_hours": 5})
    assert (told(answer), answer.json()["data"]["status"]) == (DRAFTED, "draft")


def test_an_hourly_task_that_has_begun_needs_a_new_start_when_reused(twin: Twin) -> None:
    task = make_task(twin, "agent_ada", **HOURLY)
    twin.advance(hours=48)
    again = {"delivery_hours": 5}
    assert told(post(twin, "agent_ada", f"{TASKS}/{task}/reuse", again)) == INVALID
    again["scheduled_start_at"] = "2026-02-01T00:00:00Z"  # type: ignore[assignment]
    assert told(post(twin, "agent_ada", f"{TASKS}/{task}/reuse", again)) == (200, 0)


# Updates (K2: while it is not taken)

UPDATES: dict[str, tuple[Data, str, Refusal]] = {
    "a title": ({"title": "Other"}, "100.00", (200, 0)),
    "nothing": ({}, "100.00", (200, 0)),
    "a larger bounty": ({"bounty_amount": "150"}, "150.00", (200, 0)),
    "a smaller bounty": ({"bounty_amount": "99.99"}, "99.99", (200, 0)),
    "all there is": ({"bounty_amount": "2000.00"}, "2000.00", (200, 0)),
    "more than there is": ({"bounty_amount": "2000.01"}, "100.00", POOR),
    "offline without a city": ({"mode": "offline"}, "100.00", INVALID),
    "by the hour without a price": ({"billing_model": "schedule_hourly"}, "100.00", INVALID),
    "by the hour without a start": (without("scheduled_start_at", HOURLY), "100.00", INVALID),
    "by the hour, in the past": ({**HOURLY, "scheduled_start_at": "2025-01-01T00:00:00Z"}, "100.00", INVALID),
    "by the hour": (HOURLY, "50.00", (200, 0)),
    "a bounty of nothing": ({"bounty_amount": 0}, "100.00", INVALID),
}


@pytest.mark.parametrize(("body", "held", "answer"), UPDATES.values(), ids=UPDATES)
def test_updating_an_open_task_changes_what_is_held(twin: Twin, body: Data, held: str, answer: Refusal) -> None:
    task, before = make_task(twin, "agent_ada"), wallet(twin, "agent_ada")["ut"]
    assert told(twin.request("PUT", f"{TASKS}/{task}", json=body, as_="agent_ada")) == answer
    after = wallet(twin, "agent_ada")["ut"]
    assert data(get(twin, "agent_ada", f"{TASKS}/{task}"))["bounty_amount"] == held
    assert float(after["frozen"]) - float(before["frozen"]) == pytest.approx(float(held) - 100)
    assert after["total"] == before["total"]


def test_a_task_whose_work_has_begun_can_still_be_renamed(twin: Twin) -> None:
    task = make_task(twin, "agent_ada", **HOURLY)
    twin.advance(hours=48)
    assert told(twin.request("PUT", f"{TASKS}/{task}", json={"title": "Other"}, as_="agent_ada")) == (200, 0)


def test_a_draft_is_changed_without_money(twin: Twin) -> None:
    before = wallet(twin, "human_alice")
    assert told(twin.request("PUT", f"{TASKS}/{DRAFT}", json={"bounty_amount": 9999}, as_="human_alice")) == (200, 0)
    assert wallet(twin, "human_alice") == before


# Only the poster (S0)

POSTERS = {
    "update": ("PUT", "", {"title": "Mine"}),
    "close": ("POST", "/close", None),
    "publish": ("POST", "/publish-draft", {"delivery_hours": 24}),
    "reuse": ("POST", "/reuse", {"delivery_hours": 24}),
    "push a skill": ("POST", "/push-skill", {"skill_id": seeded(2, 2)}),
    "select a skill": ("POST", "/select-skill", {"skill_id": seeded(2, 2)}),
    "list applications": ("GET", "/applications", None),
    "list recommendations": ("GET", "/recommendations", None),
}


@pytest.mark.parametrize(("method", "path", "body"), POSTERS.values(), ids=POSTERS)
def test_only_the_poster_may(twin: Twin, method: str, path: str, body: Data | None) -> None:
    before = everything(twin)
    assert told(twin.request(method, f"{TASKS}/{LOGO}{path}", json=body, as_="human_bob")) == FORBIDDEN
    assert everything(twin) == before


@pytest.mark.parametrize(("method", "path", "body"), POSTERS.values(), ids=POSTERS)
@pytest.mark.parametrize("key", ["99999999-9999-4999-8999-999999999999", "no-uuid", "%2e%2e", "a%2Fb", "é"])
def test_a_task_that_does_not_exist_is_not_found(
    twin: Twin, method: str, path: str, body: Data | None, key: str
) -> None:
    assert told(twin.request(method, f"{TASKS}/{key}{path}", json=body, as_="human_alice")) == NOT_FOUND


# No direct claim (S0)


@pytest.mark.parametrize(
    "verb", ["claim", "take", "grab", "accept", "assign", "apply", "order", "match", "start", "claims"]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_there_is_no_path_to_take_a_task_directly(twin: Twin, method: str, verb: str) -> None:
    before = everything(twin)
    assert told(twin.request(method, f"{TASKS}/{LOGO}/{verb}", json={}, as_="human_bob")) == NOT_FOUND
    assert everything(twin) == before


def test_a_task_is_not_taken_by_updating_its_status(twin: Twin) -> None:
    body = {"status": "matched", "worker_id": ALICE, "matched_order_id": LOGO}
    assert told(twin.request("PUT", f"{TASKS}/{LOGO}", json=body, as_="human_alice")) == (200, 0)
    assert data(get(twin, "human_alice", f"{TASKS}/{LOGO}"))["status"] == "open"


# Skills for a task


def test_pushing_a_skill_records_it_and_leaves_the_task_open(twin: Twin) -> None:
    pushed = data(post(twin, "human_alice", f"{TASKS}/{LOGO}/push-skill", {"skill_id": seeded(2, 2)}))
    assert (pushed["task_id"], pushed["skill_id"], pushed["status"]) == (LOGO, seeded(2, 2), "pending")
    assert status_of(twin, "task", LOGO) == "open"


def test_selecting_a_skill_matches_the_task_with_its_owner(twin: Twin) -> None:
    chosen = data(post(twin, "human_alice", f"{TASKS}/{LOGO}/select-skill", {"skill_id": seeded(2, 1)}))
    assert chosen["status"] == "matched"
    assert chosen["matched_order_id"]
    assert status_of(twin, "application", seeded(3, 1)) == "rejected"
    assert wallet(twin, "human_bob")["cash"]["frozen"] == "1100.00"


def test_the_posters_own_skill_cannot_be_selected(twin: Twin) -> None:
    assert told(post(twin, "human_alice", f"{TASKS}/{LOGO}/select-skill", {"skill_id": seeded(2, 3)})) == FORBIDDEN


@pytest.mark.parametrize("verb", ["push-skill", "select-skill"])
@pytest.mark.parametrize("key", [MATCHED, seeded(1, 5), seeded(1, 6), seeded(1, 7), DRAFT])
def test_a_skill_is_for_an_open_task_only(twin: Twin, verb: str, key: str) -> None:
    assert told(post(twin, "human_alice", f"{TASKS}/{key}/{verb}", {"skill_id": seeded(2, 1)})) == TASK_STATE


def test_an_improved_description_is_answered(twin: Twin) -> None:
    answer = post(
        twin, "human_alice", f"{TASKS}/description-optimize", {"description": "read   my invoices. then rest"}
    )
    assert data(answer) == {"description": "Read my invoices.\nThen rest."}


# Expiry (S0 names the state; 72 h is assumed)


def test_an_open_task_expires_after_72_hours_and_gives_the_bounty_back(twin: Twin) -> None:
    before = wallet(twin, "agent_ada")["ut"]
    task = make_task(twin, "agent_ada")
    application = apply_for(twin, "agent_otto", task)
    twin.advance(72 * 3600 - 1)
    assert status_of(twin, "task", task) == "open"
    twin.advance(1)
    assert status_of(twin, "task", task) == "expired"
    assert status_of(twin, "application", application) == "rejected"
    assert wallet(twin, "agent_ada")["ut"]["total"] == before["total"]
    assert told(post(twin, "agent_ada", f"{TASKS}/{task}/close")) == TASK_STATE


def test_a_task_that_is_matched_or_a_draft_does_not_expire(twin: Twin) -> None:
    twin.advance(days=30)
    assert {status_of(twin, "task", key) for key in (MATCHED, seeded(1, 0xB))} == {"matched"}
    assert status_of(twin, "task", DRAFT) == "draft"


def test_the_period_begins_when_a_draft_is_published_and_not_when_a_task_is_changed(twin: Twin) -> None:
    twin.advance(hours=50)
    data(post(twin, "human_alice", f"{TASKS}/{DRAFT}/publish-draft", {"delivery_hours": 24}))
    twin.advance(hours=50)
    data(twin.request("PUT", f"{TASKS}/{DRAFT}", json={"title": "Other"}, as_="human_alice"))
    twin.advance(hours=21)
    assert status_of(twin, "task", DRAFT) == "open"
    twin.advance(hours=1)
    assert status_of(twin, "task", DRAFT) == "expired"


@pytest.mark.parametrize("amount", [1.005, 19.999, "0.001"], ids=str)
def test_money_with_more_than_two_decimals_is_refused(twin: Twin, amount: float | str) -> None:
    body = {"title": "t", "description": "d", "bounty_amount": amount, "delivery_hours": 1}
    answer = twin.request("POST", "/api/v1/tasks/", json=body, as_="human_alice")
    assert (answer.status, answer.json()["code"]) == (422, 1008)
