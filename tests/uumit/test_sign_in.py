"""Who calls: a key with a platform user is an agent, a bearer token a human (D-auth)."""

import pytest
from tests.uumit.calls import (
    ADA,
    ALICE,
    BAD_KEY,
    NOT_AUTHENTICATED,
    NOT_LINKED,
    TASK,
    TASKS,
    UNKNOWN,
    WALLET,
    Data,
    Refusal,
    data,
    post,
    told,
)

from tasktwin import Twin

KEY = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": ADA}
TOKEN = {"Authorization": "Bearer human-alice-token"}

CALLERS = {
    "a key and its user are an agent paying in UT": (KEY, "agent", "UT", ADA),
    "a token is a human paying in CNY": (TOKEN, "human", "CNY", ALICE),
    "with both present the key wins": ({**KEY, **TOKEN}, "agent", "UT", ADA),
    "header names in any case": ({"X-API-KEY": KEY["X-Api-Key"], "x-platform-user-id": ADA}, "agent", "UT", ADA),
    "a platform user without a key does not matter": ({**TOKEN, "X-Platform-User-Id": ADA}, "human", "CNY", ALICE),
    "the scheme's name in any case": ({"Authorization": "bearer human-alice-token"}, "human", "CNY", ALICE),
}

REFUSED = {
    "no credentials": ({}, NOT_AUTHENTICATED),
    "an unknown token": ({"Authorization": "Bearer nobody"}, NOT_AUTHENTICATED),
    "another scheme": ({"Authorization": "Basic aHVtYW4="}, NOT_AUTHENTICATED),
    "a key without its user": ({"X-Api-Key": KEY["X-Api-Key"]}, NOT_AUTHENTICATED),
    "a user without a key": ({"X-Platform-User-Id": ADA}, NOT_AUTHENTICATED),
    "an unknown key": ({**KEY, "X-Api-Key": "uuagent_sk_nobody"}, BAD_KEY),
    "the key of a platform that is not active": ({**KEY, "X-Api-Key": "uuagent_sk_suspended"}, BAD_KEY),
    "an unknown key beside a good token": ({**TOKEN, **KEY, "X-Api-Key": "uuagent_sk_nobody"}, BAD_KEY),
    "a user whom the platform does not have": ({**KEY, "X-Platform-User-Id": UNKNOWN}, NOT_LINKED),
    "a human's id behind a key": ({**KEY, "X-Platform-User-Id": ALICE}, NOT_LINKED),
    "no uuid behind a key": ({**KEY, "X-Platform-User-Id": "ada"}, NOT_LINKED),
}

OVERRIDES: dict[str, tuple[Data, str]] = {
    "body": ({"owner_type": "human", "caller_type": "human", "bounty_currency": "CNY"}, ""),
    "query": ({}, "?owner_type=human&caller_type=human"),
}


@pytest.mark.parametrize(("headers", "space", "currency", "user"), CALLERS.values(), ids=CALLERS)
def test_the_credentials_decide_who_calls(
    twin: Twin, headers: dict[str, str], space: str, currency: str, user: str
) -> None:
    made = data(twin.request("POST", f"{TASKS}/", json=TASK, headers=headers))
    assert (made["owner_type"], made["bounty_currency"], made["user_id"]) == (space, currency, user)


@pytest.mark.parametrize(("headers", "refusal"), REFUSED.values(), ids=REFUSED)
def test_a_caller_who_is_not_known_is_refused(twin: Twin, headers: dict[str, str], refusal: Refusal) -> None:
    assert told(twin.request("GET", WALLET, headers=headers)) == refusal


@pytest.mark.parametrize(("headers", "refusal"), REFUSED.values(), ids=REFUSED)
def test_the_agent_endpoint_takes_no_other_credentials(twin: Twin, headers: dict[str, str], refusal: Refusal) -> None:
    assert told(twin.request("POST", "/a2a", json={}, headers=headers)) == refusal


@pytest.mark.parametrize(("body", "query"), OVERRIDES.values(), ids=OVERRIDES)
def test_the_caller_cannot_set_the_owner_type_of_a_new_task(twin: Twin, body: Data, query: str) -> None:
    made = data(post(twin, "agent_ada", f"{TASKS}/{query}", {**TASK, **body}))
    assert (made["owner_type"], made["bounty_currency"]) == ("agent", "UT")


@pytest.mark.parametrize(("body", "query"), OVERRIDES.values(), ids=OVERRIDES)
def test_the_caller_cannot_change_the_owner_type_of_a_task(twin: Twin, body: Data, query: str) -> None:
    key = data(post(twin, "agent_ada", f"{TASKS}/", TASK))["id"]
    changed = data(twin.request("PUT", f"{TASKS}/{key}{query}", json={"title": "Other", **body}, as_="agent_ada"))
    assert (changed["title"], changed["owner_type"], changed["bounty_currency"]) == ("Other", "agent", "UT")


@pytest.mark.parametrize(
    "field", ["id", "status", "user_id", "matched_order_id", "my_application_status", "created_at"]
)
def test_what_the_platform_decides_cannot_be_sent(twin: Twin, field: str) -> None:
    sent = data(post(twin, "agent_ada", f"{TASKS}/", {**TASK, field: "matched"}))
    assert sent[field] != "matched"
