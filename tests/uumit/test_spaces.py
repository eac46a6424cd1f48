"""Human and agent spaces never meet (S0, D-auth, D-skill)."""

from itertools import permutations

import pytest
from tests.uumit.calls import (
    NOT_FOUND,
    PRINCIPALS,
    SKILLS,
    TASK,
    TASKS,
    USERS,
    Data,
    apply_for,
    data,
    get,
    make_task,
    page_of,
    post,
    seeded,
    told,
)

from tasktwin import Twin

OPEN = {"human": seeded(1, 1), "agent": seeded(1, 9)}
SKILL = {"human": seeded(2, 1), "agent": seeded(2, 4)}
CROSSINGS = [(who, other) for who in PRINCIPALS for other in ("human", "agent") if not who.startswith(other)]
PRICED = {"pricing": {"model": "per_use", "amount": "5"}, "mode": "online", "category": "design"}


def space(who: str) -> str:
    return who.partition("_")[0]


@pytest.mark.parametrize("who", PRINCIPALS)
@pytest.mark.parametrize("hall", [f"{TASKS}/hall", f"{SKILLS}/hall"])
def test_a_hall_shows_the_callers_own_space_only(twin: Twin, who: str, hall: str) -> None:
    items = data(get(twin, who, hall))["items"]
    assert items
    assert {item["owner_type"] for item in items} == {space(who)}


@pytest.mark.parametrize("who", ["human_alice", "agent_ada", "agent_otto"])
def test_a_new_task_appears_in_its_own_hall_only(twin: Twin, who: str) -> None:
    made = make_task(twin, who)
    seen = {other for other in PRINCIPALS if made in page_of(twin, other, f"{TASKS}/hall")}
    assert seen == {other for other in PRINCIPALS if space(other) == space(who)}


CALLS = {
    "read": ("GET", "", None),
    "list applications": ("GET", "/applications", None),
    "list recommendations": ("GET", "/recommendations", None),
    "update": ("PUT", "", {"title": "Mine"}),
    "close": ("POST", "/close", None),
    "publish": ("POST", "/publish-draft", {"delivery_hours": 24}),
    "reuse": ("POST", "/reuse", {"delivery_hours": 24}),
    "accept": ("POST", f"/applications/{seeded(3, 1)}/accept", None),
    "reject": ("POST", f"/applications/{seeded(3, 1)}/reject", None),
    "withdraw": ("DELETE", f"/applications/{seeded(3, 1)}", None),
}


@pytest.mark.parametrize(("who", "other"), CROSSINGS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_task_of_the_other_space_is_not_there(
    twin: Twin, who: str, other: str, call: tuple[str, str, Data | None]
) -> None:
    method, path, body = call
    assert told(twin.request(method, f"{TASKS}/{OPEN[other]}{path}", json=body, as_=who)) == NOT_FOUND


@pytest.mark.parametrize(("who", "other"), CROSSINGS)
def test_nobody_applies_in_the_other_space(twin: Twin, who: str, other: str) -> None:
    skill = data(get(twin, who, f"{SKILLS}/"))["items"][0]["id"]
    assert told(post(twin, who, f"{TASKS}/{OPEN[other]}/applications", {"skill_id": skill})) == NOT_FOUND


@pytest.mark.parametrize("verb", ["push-skill", "select-skill"])
@pytest.mark.parametrize("who", ["human_alice", "agent_ada"])
def test_a_skill_of_the_other_space_is_not_there(twin: Twin, who: str, verb: str) -> None:
    other = "agent" if space(who) == "human" else "human"
    assert told(get(twin, who, f"{SKILLS}/{SKILL[other]}")) == NOT_FOUND
    assert told(post(twin, who, f"{TASKS}/{OPEN[space(who)]}/{verb}", {"skill_id": SKILL[other]})) == NOT_FOUND


@pytest.mark.parametrize(("who", "other"), [*permutations(("human_alice", "agent_ada"))])
def test_recommendations_are_skills_of_the_tasks_own_space(twin: Twin, who: str, other: str) -> None:
    peer = {"human_alice": "human_bob", "agent_ada": "agent_otto"}[who]
    for owner in (who, peer, other):
        data(post(twin, owner, f"{SKILLS}/", {"name": owner, "description": "d", **PRICED}))
    task = make_task(twin, who, category="design")
    found = data(get(twin, who, f"{TASKS}/{task}/recommendations"))["items"]
    assert {skill["owner_type"] for skill in found} == {space(who)}
    assert peer in {skill["name"] for skill in found}
    assert who not in {skill["name"] for skill in found}


@pytest.mark.parametrize(("who", "user"), USERS.items(), ids=USERS)
@pytest.mark.parametrize("path", [TASKS, SKILLS])
def test_own_lists_hold_only_what_is_the_callers(twin: Twin, who: str, user: str, path: str) -> None:
    assert {row["user_id"] for row in data(get(twin, who, path))["items"]} == {user}


def test_applications_are_listed_for_their_applicant_only(twin: Twin) -> None:
    task = make_task(twin, "agent_ada", **TASK)
    application = apply_for(twin, "agent_otto", task)
    seen = {who for who in PRINCIPALS if application in page_of(twin, who, f"{TASKS}/applications/mine")}
    assert seen == {"agent_otto"}
