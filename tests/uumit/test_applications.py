"""Applications: the only way to a task (S0). Accepting one rejects the others, matches the task and moves the money."""

import pytest
from tests.uumit.calls import (
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    SKILLS,
    TASK_STATE,
    TASKS,
    UNKNOWN,
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
    wallet,
)

from tasktwin import Twin

LOGO, INVOICES, CHECK = seeded(1, 1), seeded(1, 9), seeded(1, 0xC)
BOBS, OTTOS = seeded(3, 1), seeded(3, 3)
THIRD = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": "a0000000-0000-4000-8000-0000000000a3"}


@pytest.fixture
def third(twin: Twin) -> str:
    """Another agent's application to Ada's task: it needs a third agent, whom the seeds do not have."""
    user, platform = THIRD["X-Platform-User-Id"], "c0000000-0000-4000-8000-0000000000c1"
    with twin.world.transaction():
        twin.world.make("user", {"id": user, "nickname": "Third", "active": True})
        twin.world.make("platform_user", {"platform_id": platform, "user_id": user})
    skill = {
        "name": "s",
        "description": "d",
        "category": "c",
        "mode": "online",
        "pricing_model": "fixed",
        "ut_price": 1,
    }
    chosen = data(twin.request("POST", f"{SKILLS}/", json=skill, headers=THIRD))["id"]
    made = twin.request("POST", f"{TASKS}/{INVOICES}/applications", json={"skill_id": chosen}, headers=THIRD)
    key: str = data(made)["id"]
    return key


def test_accepting_one_matches_the_task_and_rejects_the_others(twin: Twin, third: str) -> None:
    accepted = data(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/applications/{OTTOS}/accept"))
    task = data(get(twin, "agent_ada", f"{TASKS}/{INVOICES}"))
    assert accepted["status"] == "accepted"
    assert (task["status"], bool(task["matched_order_id"])) == ("matched", True)
    assert status_of(twin, "application", third) == "rejected"
    assert INVOICES not in page_of(twin, "agent_otto", f"{TASKS}/hall")


def test_accepting_moves_the_bounty_to_the_worker(twin: Twin) -> None:
    data(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/applications/{OTTOS}/accept"))
    assert wallet(twin, "agent_ada")["ut"] == {"available": "2000.00", "frozen": "685.00", "total": "2685.00"}
    assert wallet(twin, "agent_otto")["ut"] == {"available": "500.00", "frozen": "415.00", "total": "915.00"}


def test_a_second_acceptance_is_refused_and_moves_nothing(twin: Twin, third: str) -> None:
    data(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/applications/{OTTOS}/accept"))
    before = everything(twin)
    for application in (OTTOS, third):
        assert told(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/applications/{application}/accept")) == TASK_STATE
    assert everything(twin) == before


def test_rejecting_one_leaves_the_others_and_the_task_as_they_are(twin: Twin, third: str) -> None:
    data(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/applications/{OTTOS}/reject"))
    assert status_of(twin, "application", OTTOS) == "rejected"
    assert status_of(twin, "application", third) == "pending"
    assert status_of(twin, "task", INVOICES) == "open"


ENDS = {"close": "closed", "cancel": "cancelled", "expire": "expired"}


@pytest.mark.parametrize(("way", "state"), ENDS.items(), ids=ENDS)
def test_when_a_task_ends_its_applications_are_rejected(twin: Twin, way: str, state: str) -> None:
    if way == "close":
        data(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/close"))
    else:
        twin.trigger(way, INVOICES, "task")
    assert (status_of(twin, "task", INVOICES), status_of(twin, "application", OTTOS)) == (state, "rejected")


def test_a_cancelled_order_refunds_the_bounty_at_once(twin: Twin) -> None:
    before = wallet(twin, "agent_ada")["ut"], wallet(twin, "agent_otto")["ut"]
    data(post(twin, "agent_ada", f"{TASKS}/{INVOICES}/applications/{OTTOS}/accept"))
    twin.trigger("cancel_order", INVOICES, "task")
    ada, otto = wallet(twin, "agent_ada")["ut"], wallet(twin, "agent_otto")["ut"]
    assert (ada["total"], otto) == (before[0]["total"], before[1])
    assert float(ada["available"]) == float(before[0]["available"]) + 250
    assert status_of(twin, "task", INVOICES) == "cancelled"


# Who may

VERBS = {"accept": ("POST", "/accept"), "reject": ("POST", "/reject"), "withdraw": ("DELETE", "")}
WHO: dict[str, tuple[str, str, Refusal]] = {
    "accept, the applicant": ("accept", "agent_otto", FORBIDDEN),
    "reject, the applicant": ("reject", "agent_otto", FORBIDDEN),
    "withdraw, the poster": ("withdraw", "agent_ada", FORBIDDEN),
    "accept, the other space": ("accept", "human_alice", NOT_FOUND),
    "reject, the other space": ("reject", "human_alice", NOT_FOUND),
    "withdraw, the other space": ("withdraw", "human_alice", NOT_FOUND),
}


@pytest.mark.parametrize(("verb", "who", "refusal"), WHO.values(), ids=WHO)
def test_nobody_else_may_decide(twin: Twin, verb: str, who: str, refusal: Refusal) -> None:
    method, path = VERBS[verb]
    before = everything(twin)
    assert told(twin.request(method, f"{TASKS}/{INVOICES}/applications/{OTTOS}{path}", as_=who)) == refusal
    assert everything(twin) == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_stranger_of_the_same_space_may_not_decide(twin: Twin, third: str, verb: str) -> None:
    assert third
    method, path = VERBS[verb]
    url = f"{TASKS}/{INVOICES}/applications/{OTTOS}{path}"
    assert told(twin.request(method, url, headers=THIRD)) == FORBIDDEN


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("task", "application"),
    [(INVOICES, UNKNOWN), (INVOICES, "x"), (seeded(1, 0xA), OTTOS), (UNKNOWN, OTTOS)],
    ids=["unknown", "no uuid", "of another task", "of an unknown task"],
)
def test_an_application_that_is_not_the_tasks_is_not_found(twin: Twin, verb: str, task: str, application: str) -> None:
    method, path = VERBS[verb]
    who = "agent_otto" if verb == "withdraw" else "agent_ada"
    assert told(twin.request(method, f"{TASKS}/{task}/applications/{application}{path}", as_=who)) == NOT_FOUND


# Applying

REFUSED: dict[str, tuple[str, str, str, Refusal]] = {
    "to one's own task": ("agent_ada", INVOICES, seeded(2, 6), FORBIDDEN),
    "twice": ("agent_otto", INVOICES, seeded(2, 5), TASK_STATE),
    "with another's skill": ("agent_ada", CHECK, seeded(2, 4), NOT_FOUND),
    "with an unknown skill": ("agent_otto", seeded(1, 0xA), UNKNOWN, NOT_FOUND),
    "with a skill that is no uuid": ("agent_otto", seeded(1, 0xA), "skill", INVALID),
    "to an unknown task": ("agent_otto", UNKNOWN, seeded(2, 4), NOT_FOUND),
    "to a matched task": ("agent_otto", seeded(1, 0xB), seeded(2, 4), TASK_STATE),
    "to a closed task": ("agent_ada", seeded(1, 0xD), seeded(2, 6), TASK_STATE),
    "to an expired task": ("agent_otto", seeded(1, 0xE), seeded(2, 4), TASK_STATE),
    "to a cancelled task": ("agent_ada", seeded(1, 0xF), seeded(2, 6), TASK_STATE),
    "to another's draft": ("agent_ada", seeded(1, 0x10), seeded(2, 6), NOT_FOUND),
}


@pytest.mark.parametrize(("who", "task", "skill", "refusal"), REFUSED.values(), ids=REFUSED)
def test_nobody_applies(twin: Twin, who: str, task: str, skill: str, refusal: Refusal) -> None:
    before = everything(twin)
    assert told(post(twin, who, f"{TASKS}/{task}/applications", {"skill_id": skill})) == refusal
    assert everything(twin) == before


def test_an_application_says_who_applies_to_what(twin: Twin) -> None:
    task = make_task(twin, "agent_ada", title="Count things")
    body = {"skill_id": seeded(2, 4), "message": "Now", "proposed_price": 90}
    made = data(post(twin, "agent_otto", f"{TASKS}/{task}/applications", body))
    shown = {**body, "proposed_price": "90.00", "task_id": task, "task_title": "Count things", "status": "pending"}
    assert made | shown | {"applicant_nickname": "Otto"} == made
    assert made in data(get(twin, "agent_ada", f"{TASKS}/{task}/applications"))["items"]
    assert made in data(get(twin, "agent_otto", f"{TASKS}/applications/mine"))["items"]


@pytest.mark.parametrize(("verb", "again"), [("withdraw", (200, 0)), ("reject", TASK_STATE)])
def test_only_who_withdrew_may_apply_again(twin: Twin, verb: str, again: Refusal) -> None:
    method, path = VERBS[verb]
    who = "agent_otto" if verb == "withdraw" else "agent_ada"
    data(twin.request(method, f"{TASKS}/{INVOICES}/applications/{OTTOS}{path}", as_=who))
    body = {"skill_id": seeded(2, 5)}
    assert told(post(twin, "agent_otto", f"{TASKS}/{INVOICES}/applications", body)) == again


def test_the_task_shows_the_callers_own_application(twin: Twin) -> None:
    task = make_task(twin, "agent_ada")
    shown = [data(get(twin, "agent_otto", f"{TASKS}/{task}"))["my_application_status"]]
    application = apply_for(twin, "agent_otto", task)
    shown += [data(get(twin, who, f"{TASKS}/{task}"))["my_application_status"] for who in ("agent_otto", "agent_ada")]
    data(post(twin, "agent_ada", f"{TASKS}/{task}/applications/{application}/reject"))
    shown += [data(get(twin, "agent_otto", f"{TASKS}/{task}"))["my_application_status"]]
    assert shown == [None, "pending", None, "rejected"]


@pytest.mark.parametrize("status", ["pending", "accepted", "rejected", "withdrawn"])
def test_own_applications_can_be_of_one_status(twin: Twin, status: str) -> None:
    items = data(get(twin, "human_bob", f"{TASKS}/applications/mine", status=status))["items"]
    assert [item["status"] for item in items] == ([status] if status != "withdrawn" else [])
